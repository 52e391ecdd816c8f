"""A real Apache on loopback, with the virtual host that `sophon-hub apache-config` writes."""

import os
import ssl
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from running import RunningHub

from tests.waiting import wait_for

PROGRAM = "/usr/sbin/apache2"
MODULES = Path("/usr/lib/apache2/modules")
# what Debian's package enables, and those that the file asks for
NEEDED = ["authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "alias"]
NEEDED += ["ssl", "socache_shmcb", "headers", "proxy", "proxy_http"]
# htpasswd -nbs: {SHA} and base64, for the password "campus"
PASSWORD = "campus"
PEOPLE = "".join(f"{name}:{{SHA}}OTDZCF/Hx2QCPK0Vu/K5/xsEjMs=\n" for name in ("alice", "bob"))


class RunningApache:
    """Apache with mod_auth_basic in the place of a campus sign-on module."""

    def __init__(
        self,
        hub: RunningHub,
        secret: str,
        port: int,
        mpm: str = "event",
        *,
        signed: bool = False,
        upstream: int | None = None,
    ) -> None:
        """``upstream`` is where requests go instead of the hub, to see what would be sent."""
        # Apache's own user has to reach its files, and pytest's directories are closed to it
        self._temporary = TemporaryDirectory()
        self.directory = directory = Path(self._temporary.name)
        directory.chmod(0o711)
        (directory / "none").mkdir()
        self.port = port
        self.http_port = port + 1
        self.url = f"https://localhost:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._write_certificate()
        (directory / "people").write_text(PEOPLE)
        self._options = ["--signed"] if signed else []
        sets_secret = f'RequestHeader set X-Sso-Secret "{secret}"'
        (directory / "secret.conf").write_text(
            f"Define SOPHON_KEY {secret}\n" if signed else f"{sets_secret}\n"
        )
        (directory / "sign-on.conf").write_text(
            f'AuthType Basic\nAuthName campus\nAuthUserFile "{directory}/people"\n'
        )
        vhost = self._vhost(hub)
        if upstream is not None:
            assert f"127.0.0.1:{hub.port}" in vhost
            vhost = vhost.replace(f"127.0.0.1:{hub.port}", f"127.0.0.1:{upstream}")
        (directory / "vhost.conf").write_text(vhost)
        (directory / "apache.conf").write_text(self._server(mpm))
        self.tls = ssl.create_default_context(cafile=str(directory / "certificate.pem"))

    def _write_certificate(self) -> None:
        words = "req -x509 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -keyout key.pem"
        subprocess.run(
            ["openssl", *words.split(), *key.split(), "-out", "certificate.pem"],
            cwd=self.directory,
            check=True,
            capture_output=True,
        )

    def _vhost(self, hub: RunningHub) -> str:
        files = {
            "certificate": "certificate.pem",
            "key": "key.pem",
            "secret": "secret.conf",
            "sign-on": "sign-on.conf",
        }
        options = [f"--{name}={self.directory / file}" for name, file in files.items()]
        ports = [f"--port={self.port}", f"--http-port={self.http_port}"]
        words = [*ports, *options, *self._options]
        written = hub.command("apache-config", "--host=localhost", *words)
        assert written.returncode == 0, written.stderr
        return written.stdout

    def _server(self, mpm: str) -> str:
        modules = [f"mpm_{mpm}", *NEEDED]
        who = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
        return (
            "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in modules)
            + who
            + f'ServerRoot "{self.directory}"\nPidFile "{self.directory}/pid"\n'
            + f'DefaultRuntimeDir "{self.directory}"\nMutex posixsem\nServerName localhost\n'
            + f'ErrorLog "{self.directory}/error.log"\nDocumentRoot "{self.directory}/none"\n'
            + f"Listen 127.0.0.1:{self.port}\nListen 127.0.0.1:{self.http_port}\n"
            + f'Include "{self.directory}/vhost.conf"\n'
        )

    def command(self, *words: str) -> list[str]:
        return [PROGRAM, "-f", str(self.directory / "apache.conf"), *words]

    def start(self) -> None:
        # when it ends, Apache sends SIGTERM to its whole process group
        self.process = subprocess.Popen(self.command("-D", "FOREGROUND"), start_new_session=True)
        wait_for(self._listens, "Apache to listen")

    def _listens(self) -> bool:
        log = self.directory / "error.log"
        assert self.process is not None
        assert self.process.poll() is None, log.read_text() if log.exists() else "no log"
        return log.exists() and "resuming normal operations" in log.read_text()

    def end(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None
        self._temporary.cleanup()
