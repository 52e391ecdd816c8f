"""Writes the virtual host of an Apache in front of the hub, which signs people in."""

import argparse
import re

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sophon_hub import paths
from sophon_hub.settings import BadSetting, Sophon

COOKIES = {
    "sophon-cosign": r"cosign-[^=;\s]+",
    "sophon-proxy": r"_shib[^=;\s]+|mod_auth_openidc_[^=;\s]+|MOD_AUTH_CAS[^=;\s]*",
}
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
SAFE_VALUE = re.compile(r"[\w./:-]+", re.ASCII)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``sophon-hub apache-config``."""
    parser.add_argument("--host", required=True, help="name of the hub, such as hub.example.edu")
    parser.add_argument("--port", type=int, default=443, help="TLS port (%(default)s)")
    parser.add_argument("--http-port", type=int, default=80, help="redirects (%(default)s)")
    parser.add_argument("--certificate", default="/etc/ssl/hub/fullchain.pem", metavar="FILE")
    parser.add_argument("--key", default="/etc/ssl/hub/privkey.pem", metavar="FILE")
    parser.add_argument(
        "--secret",
        default="/etc/apache2/sophon-secret.conf",
        metavar="FILE",
        help="file with the line that sets the secret header (%(default)s)",
    )
    parser.add_argument(
        "--signed",
        action="store_true",
        help="sign what is sent to the hub, for assertion_mode = 'signed'; the secret stays here",
    )
    parser.add_argument(
        "--sign-on",
        default="/etc/apache2/sophon-sign-on.conf",
        metavar="FILE",
        help="without CoSign: file with AuthType and the module's directives (%(default)s)",
    )
    parser.add_argument("--weblogin", default="weblogin.example.edu", help="CoSign's server")
    parser.add_argument("--service", default="jupyterhub", help="CosignService (%(default)s)")


def vhost(settings: Sophon, options: argparse.Namespace) -> str:
    """The configuration, for the authenticator that the settings name."""
    if settings.authenticator not in COOKIES:
        raise BadSetting(
            f"authenticator is {settings.authenticator!r}; Apache signs people in with"
            " sophon-cosign and sophon-proxy. Set SOPHON_AUTHENTICATOR to one of them."
        )
    values = {name: str(value) for name, value in vars(options).items() if name != "command"}
    for name, value in values.items():
        pattern = HOST if name in {"host", "weblogin"} else SAFE_VALUE
        if not pattern.fullmatch(value):
            raise BadSetting(f"--{name.replace('_', '-')} is {value!r}, which Apache cannot take.")
    cosign = settings.authenticator == "sophon-cosign"
    inner = settings.base_url.strip("/")
    environment = Environment(  # noqa: S701 - not HTML; values are checked above
        loader=FileSystemLoader(paths.apache_templates()),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("vhost.conf.j2").render(
        values
        | {
            "port": options.port,
            "signed": options.signed,
            "cosign": cosign,
            "cookies": COOKIES[settings.authenticator],
            "header": "X-Cosign" if cosign else "X-Sso",
            "login": f"{'/' + inner if inner else ''}/hub/{'cosign' if cosign else 'sso'}/login",
            "upstream": f"127.0.0.1:{settings.port}",
        }
    )
