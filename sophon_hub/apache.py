"""Writes the virtual hosts of an Apache in front of the hub, which signs people in."""

import argparse
import re
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sophon_hub import paths
from sophon_hub.settings import BadSetting, Sophon

COOKIES = {
    "sophon-cosign": r"cosign-[^=;\s]+",
    "sophon-proxy": r"_shib[^=;\s]+|mod_auth_openidc_[^=;\s]+|MOD_AUTH_CAS[^=;\s]*",
}
SHAPES = {
    "single": "vhost.conf.j2",
    "front": "front.conf.j2",
    "broker": "broker.conf.j2",
}
"""Templates: one Apache for everything, or a public one and one that only signs people in."""
FILES = {
    "secret": "/etc/{}/sophon-secret.conf",
    "sign_on": "/etc/{}/sophon-sign-on.conf",
    "log_file": "/var/log/{}/sophon-access.log",
}
"""Where Debian keeps the files of an Apache of this name."""
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
SAFE_VALUE = re.compile(r"[\w./:-]+", re.ASCII)
URL_PATH = re.compile(r"(?:/[\w.-]+)+", re.ASCII)
SHAPE_OF_VALUE = {"host": HOST, "weblogin": HOST, "module_path": URL_PATH}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``sophon-hub apache-config``."""
    parser.add_argument("--host", required=True, help="name of the hub, such as hub.example.edu")
    parser.add_argument(
        "--shape",
        choices=SHAPES,
        default="single",
        help="one Apache (%(default)s); or two: front for everybody, broker for the sign-on only",
    )
    parser.add_argument("--port", type=int, default=443, help="TLS port (%(default)s)")
    parser.add_argument("--http-port", type=int, default=80, help="redirects (%(default)s)")
    parser.add_argument("--broker-port", type=int, default=8446, help="on loopback (%(default)s)")
    parser.add_argument("--certificate", default="/etc/ssl/hub/fullchain.pem", metavar="FILE")
    parser.add_argument("--key", default="/etc/ssl/hub/privkey.pem", metavar="FILE")
    parser.add_argument(
        "--subdomains",
        action="store_true",
        help="serve *.HOST as well, for labs with host names of their own",
    )
    parser.add_argument(
        "--secret",
        metavar="FILE",
        help="file with the line that sets the secret header (/etc/apache2/sophon-secret.conf)",
    )
    parser.add_argument(
        "--signed",
        action="store_true",
        help="sign what is sent to the hub, for assertion_mode = 'signed'; the secret stays here",
    )
    parser.add_argument(
        "--sign-on",
        metavar="FILE",
        help="without CoSign: file with AuthType and the module's directives"
        " (/etc/apache2/sophon-sign-on.conf)",
    )
    parser.add_argument(
        "--module-path",
        action="append",
        default=[],
        metavar="PATH",
        help="without CoSign: path that the module answers itself, such as /Shibboleth.sso",
    )
    parser.add_argument(
        "--log-file",
        metavar="FILE",
        help="requests, without what follows ? in their addresses"
        " (/var/log/apache2/sophon-access.log)",
    )
    parser.add_argument("--weblogin", default="weblogin.example.edu", help="CoSign's server")
    parser.add_argument("--service", default="jupyterhub", help="CosignService (%(default)s)")


def vhost(settings: Sophon, options: argparse.Namespace) -> str:
    """The configuration, for the authenticator that the settings name.

    `BadSetting` for an authenticator that needs no Apache, and for options that would change
    the meaning of the file.
    """
    if settings.authenticator not in COOKIES:
        raise BadSetting(
            f"authenticator is {settings.authenticator!r}; Apache signs people in with"
            " sophon-cosign and sophon-proxy. Set SOPHON_AUTHENTICATOR to one of them."
        )
    values = vars(options) | _default_files(options)
    _refuse_unsafe(values)
    cosign = settings.authenticator == "sophon-cosign"
    inner = settings.base_url.strip("/")
    login = f"{'/' + inner if inner else ''}/hub/{'cosign' if cosign else 'sso'}/login"
    module_paths = ["/cosign/valid"] if cosign else options.module_path
    environment = Environment(  # noqa: S701 - not HTML; values are checked above
        loader=FileSystemLoader(paths.apache_templates()),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(SHAPES[options.shape]).render(
        values
        | {
            "cosign": cosign,
            "cookies": COOKIES[settings.authenticator],
            "header": "X-Cosign" if cosign else "X-Sso",
            "login": login,
            "module_paths": module_paths,
            "broker": f"127.0.0.1:{options.broker_port}",
            "broker_paths": [login, *module_paths],
            "broker_pattern": "|".join(re.escape(path) for path in (login, *module_paths)),
            "port_in_urls": "" if options.port == 443 else f":{options.port}",
            "upstream": f"127.0.0.1:{settings.port}",
        }
    )


def _default_files(options: argparse.Namespace) -> dict[str, str]:
    """The files that were not named, in the directories of the instance that the shape is for."""
    instance = "apache2-sophon" if options.shape == "broker" else "apache2"
    return {
        name: path.format(instance)
        for name, path in FILES.items()
        if getattr(options, name) is None
    }


def _refuse_unsafe(values: dict[str, Any]) -> None:
    """Refuse values that would end a line, a word or a section of the file."""
    for name, given in values.items():
        pattern = SHAPE_OF_VALUE.get(name, SAFE_VALUE)
        for value in given if isinstance(given, list) else [given]:
            if not pattern.fullmatch(str(value)):
                option = name.replace("_", "-")
                raise BadSetting(f"--{option} is {value!r}, which Apache cannot take.")
