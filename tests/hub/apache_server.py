"""A real Apache on loopback, with the virtual hosts that `sophon-hub apache-config` writes."""

import contextlib
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.parse import urlencode

from tests.hub.signing_on import Answer, ask
from tests.waiting import wait_for

PROGRAM = "/usr/sbin/apache2"
MODULES = Path("/usr/lib/apache2/modules")
# what Debian's package enables, and those that the file asks for
NEEDED = ["authn_core", "authn_file", "authz_core", "authz_host", "authz_user", "access_compat"]
NEEDED += ["auth_basic", "alias", "ssl", "socache_shmcb", "headers", "reqtimeout"]
NEEDED += ["proxy", "proxy_http"]
# these stand in for the module of a campus: a page that asks, and a cookie
SIGN_ON = ["request", "auth_form", "session", "session_cookie", "session_crypto"]
# htpasswd -nbs: {SHA} and base64, for the password "campus"
PASSWORD = "campus"
NAMES = ("ada", "alan", "alice", "barbara", "bob", "grace")
PEOPLE = "".join(f"{name}:{{SHA}}OTDZCF/Hx2QCPK0Vu/K5/xsEjMs=\n" for name in NAMES)
LOGIN = "/hub/sso/login"
"""The path that Apache protects."""
IDENTITY = ["X-Sso-User", "X-Sso-Realm", "X-Sso-Factor", "X-Sso-Name", "X-Sso-Groups"]
IDENTITY += ["X-Sso-Time", "X-Sso-Request", "X-Sso-Signature", "X-Sso-Secret"]
FORGED = [
    *[(header, "bob") for header in IDENTITY[:-1]],
    ("X-Sso-Secret", "s" * 64),
    ("X-Forwarded-For", "10.9.8.7"),
    ("X-Forwarded-Host", "evil.test"),
    ("X-Real-IP", "10.9.8.7"),
]
"""What somebody may send who would like to be bob."""
CAMPUS = "/campus"
"""Path of the campus's own pages: ``/login``, ``/enter`` for its form, ``/logout``."""
CAMPUS_COOKIE = "_shibsession_campus"
ASIDE = 10
"""The broker listens this many ports after the front."""
CLIENT_SECONDS = 5
"""Apache's own idea of how long a client may be silent; an idle WebSocket must outlast it."""
SHAPES = {
    "single-prefork": [("single", "prefork")],
    "single-event": [("single", "event")],
    "front-and-broker": [("front", "event"), ("broker", "prefork")],
}
"""Names for tests, and which instances of Apache they take: shape and MPM."""

LOGIN_PAGE = """<!doctype html>
<html lang="en"><title>Campus</title><h1>Campus sign-on</h1>
<form method="post" action="/campus/enter">
<p><label>Name <input name="httpd_username" autofocus></label></p>
<p><label>Password <input name="httpd_password" type="password"></label></p>
<input type="hidden" name="httpd_location">
<p><button>Sign on</button></p></form>
<script>document.forms[0].httpd_location.value = location.search.slice(1)</script></html>
"""


def write_config(environment: dict[str, str], *words: str) -> str:
    """What `sophon-hub apache-config` prints for a hub with this environment."""
    program = Path(sys.executable).with_name("sophon-hub")
    written = subprocess.run(
        [program, "apache-config", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert written.returncode == 0, written.stderr
    return written.stdout


class Instance:
    """One Apache program with its configuration in a directory of its own."""

    def __init__(self, directory: Path, mpm: str) -> None:
        self.directory = directory
        directory.mkdir(mode=0o711)
        (directory / "none").mkdir()
        self.mpm = mpm
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, vhost: str, around: str, modules: list[str]) -> None:
        """The whole configuration: the virtual hosts as written, and what Debian has around."""
        (self.directory / "vhost.conf").write_text(vhost)
        who = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
        names = [f"mpm_{self.mpm}", *modules]
        (self.directory / "apache.conf").write_text(
            "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in names)
            + who
            + f'ServerRoot "{self.directory}"\nPidFile "{self.directory}/pid"\n'
            + f'DefaultRuntimeDir "{self.directory}"\nMutex posixsem\nServerName localhost\n'
            + f'ErrorLog "{self.error_log}"\nDocumentRoot "{self.directory}/none"\n'
            + f"Timeout {CLIENT_SECONDS}\n"
            # as permissive as a site may be around the hub
            + '<Location "/">\nRequire all granted\nSatisfy Any\n</Location>\n'
            + f'{around}Include "{self.directory}/vhost.conf"\n'
        )

    @property
    def error_log(self) -> Path:
        return self.directory / "error.log"

    @property
    def access_log(self) -> Path:
        return self.directory / "access.log"

    def command(self, *words: str) -> list[str]:
        return [PROGRAM, "-f", str(self.directory / "apache.conf"), *words]

    def start(self) -> None:
        # when it ends, Apache sends SIGTERM to its whole process group
        self.process = subprocess.Popen(self.command("-D", "FOREGROUND"), start_new_session=True)
        wait_for(self._listens, "Apache to listen")

    def _listens(self) -> bool:
        log = self.error_log
        assert self.process is not None
        assert self.process.poll() is None, log.read_text() if log.exists() else "no log"
        return log.exists() and "resuming normal operations" in log.read_text()

    def end(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def pids(self) -> Iterator[int]:
        """All processes of this instance that live just now."""
        assert self.process is not None
        yield self.process.pid
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                if f"\nPPid:\t{self.process.pid}\n" in status.read_text():
                    yield int(status.parent.name)


class RunningApache:
    """Apache in one of the shapes, with mod_auth_form in the place of a campus sign-on module."""

    def __init__(
        self,
        environment: dict[str, str],
        secret: str,
        port: int,
        shape: str = "single-event",
        *words: str,
        host: str = "localhost",
    ) -> None:
        """For a hub with this environment; ``words`` are more options of `apache-config`."""
        # Apache's own user has to reach its files, and pytest's directories are closed to it
        self._temporary = TemporaryDirectory()
        self.directory = directory = Path(self._temporary.name)
        directory.chmod(0o711)
        self.environment, self.host = environment, host
        self.port, self.http_port = port, port + 1
        self.url = f"https://{host}:{port}"
        self._write_certificate()
        (directory / "people").write_text(PEOPLE)
        (directory / "login.html").write_text(LOGIN_PAGE)
        sets_secret = f'RequestHeader set X-Sso-Secret "{secret}"'
        (directory / "secret.conf").write_text(
            f"Define SOPHON_KEY {secret}\n" if "--signed" in words else f"{sets_secret}\n"
        )
        (directory / "sign-on.conf").write_text(self._sign_on())
        self.instances = [
            self._instance(shape, mpm, *words) for shape, mpm in reversed(SHAPES[shape])
        ]
        self.tls = ssl.create_default_context(cafile=str(self.certificate))

    @property
    def certificate(self) -> Path:
        return self.directory / "certificate.pem"

    @property
    def public(self) -> Instance:
        """The instance that people talk to."""
        return self.instances[-1]

    def _write_certificate(self) -> None:
        names = f"subjectAltName=DNS:localhost,DNS:{self.host},DNS:*.{self.host}"
        words = f"req -x509 -nodes -days 2 -subj /CN={self.host} -addext {names}"
        key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -keyout key.pem"
        subprocess.run(
            ["openssl", *words.split(), *key.split(), "-out", "certificate.pem"],
            cwd=self.directory,
            check=True,
            capture_output=True,
        )

    def _instance(self, shape: str, mpm: str, *words: str) -> Instance:
        instance = Instance(self.directory / shape, mpm)
        log = f"--log-file={instance.access_log}"
        if shape == "front":
            instance.write(self._written(shape, log, *words), self._listen(), NEEDED)
        else:
            listen = self._listen() if shape == "single" else ""
            instance.write(
                self._written(shape, log, *words), listen + self._campus(), [*NEEDED, *SIGN_ON]
            )
        return instance

    def _listen(self) -> str:
        return f"Listen 127.0.0.1:{self.port}\nListen 127.0.0.1:{self.http_port}\n"

    def _written(self, shape: str, *words: str) -> str:
        files = {
            "certificate": "certificate.pem",
            "key": "key.pem",
            "secret": "secret.conf",
            "sign-on": "sign-on.conf",
        }
        options = [f"--{name}={self.directory / file}" for name, file in files.items()]
        ports = {"port": 0, "http-port": 1, "broker-port": ASIDE}
        options += [f"--{name}={self.port + offset}" for name, offset in ports.items()]
        options += [f"--host={self.host}", f"--shape={shape}", f"--module-path={CAMPUS}"]
        return write_config(self.environment, *options, *words)

    def _sign_on(self) -> str:
        """What makes a module know people; a browser without its cookie is sent to the campus."""
        wanted = f"{self.url}%{{REQUEST_URI}}?%{{QUERY_STRING}}"
        return (
            "AuthType form\nAuthName campus\nAuthFormProvider file\n"
            f'AuthUserFile "{self.directory}/people"\nSession On\n'
            f"SessionCookieName {CAMPUS_COOKIE} path=/;httponly;secure\n"
            f'SessionCryptoPassphrase "{self.directory.name}"\n'
            f'AuthFormLoginRequiredLocation "{self.url}{CAMPUS}/login?{wanted}"\n'
        )

    def _campus(self) -> str:
        """The campus's own pages, which are outside of everything that Sophon writes."""
        page = f'Alias {CAMPUS}/login "{self.directory}/login.html"\n'
        files = f'<Directory "{self.directory}">\nRequire all granted\n</Directory>\n'
        form = f"<Location {CAMPUS}/login>\nForceType text/html\n</Location>\n"
        enter = (
            f"<Location {CAMPUS}/enter>\nSetHandler form-login-handler\n"
            f"{self._sign_on()}</Location>\n"
        )
        # the page to go back to is the query, as with CoSign
        leave = (
            f"<Location {CAMPUS}/logout>\nSetHandler form-logout-handler\n"
            f"{self._sign_on()}SessionMaxAge 1\n"
            'AuthFormLogoutLocation "%{QUERY_STRING}"\n</Location>\n'
        )
        return page + files + form + enter + leave

    def get(self, path: str, *headers: tuple[str, str], **options: Any) -> Answer:
        """One request over TLS, as `ask` sends it."""
        return ask(f"https://localhost:{self.port}", path, headers, tls=self.tls, **options)

    def enter(self, name: str, password: str, wanted: str = "/") -> Answer:
        """Fill in the form of the campus."""
        fields = {"httpd_username": name, "httpd_password": password, "httpd_location": wanted}
        form = ("Content-Type", "application/x-www-form-urlencoded")
        return self.get(f"{CAMPUS}/enter", form, method="POST", body=urlencode(fields))

    def known_as(self, name: str) -> tuple[str, str]:
        """The header with the cookie by which the campus knows this person."""
        return "Cookie", f"{CAMPUS_COOKIE}={self.enter(name, PASSWORD).cookies[CAMPUS_COOKIE]}"

    def asks_for_a_password(self, answer: Answer) -> bool:
        """Whether this sends a browser to the form of the campus."""
        return answer.status == 302 and answer.location.startswith(f"{self.url}{CAMPUS}/login?")

    def peak_mib(self) -> float:
        """The most memory that any process of Apache has ever had."""
        statuses = [
            Path(f"/proc/{pid}/status").read_text()
            for instance in self.instances
            for pid in instance.pids()
        ]
        found = [re.search(r"VmHWM:\s+(\d+) kB", status) for status in statuses]
        return max(int(match[1]) for match in found if match) / 1024

    def __enter__(self) -> Self:
        try:
            for instance in self.instances:
                instance.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for instance in self.instances:
            instance.end()
        self._temporary.cleanup()
