"""Settings of the site: where it listens, what it keeps, and how people sign in."""

from pathlib import Path
from typing import Any

from traitlets import Bool, HasTraits, Int, Unicode, default, validate


class SiteSettings(HasTraits):
    """The part of `Sophon` about addresses, databases, accounts and housekeeping."""

    data_dir = Unicode(
        help="""Directory for databases, secrets, logs and the homes of process labs. Made
        when it is missing, readable by its owner only. Default: ``data`` in the directory the
        Hub is started from.""",
    ).tag(config=True)

    database_url = Unicode(
        help="""SQLAlchemy URL of Sophon's own database (never the Hub's). Default: the SQLite
        file ``sophon.sqlite`` in the data directory; ``postgresql+psycopg://...`` for sites
        with more than a few hundred people.""",
    ).tag(config=True)

    hub_database_url = Unicode(
        help="""SQLAlchemy URL of JupyterHub's own database, which must be another one. Default:
        the SQLite file ``jupyterhub.sqlite`` in the data directory.""",
    ).tag(config=True)

    host = Unicode("127.0.0.1", help="Address on which the proxy listens for browsers.").tag(
        config=True
    )

    tls_in_front = Bool(
        False,
        help="""Whether a web server in front speaks TLS with browsers and only it reaches ``host``
        and ``port``. Beyond loopback a hub needs this, a certificate, or an https address.""",
    ).tag(config=True)

    port = Int(8000, help="TCP port on which the proxy listens for browsers.").tag(config=True)

    hub_port = Int(
        help="TCP port of the Hub's API, reached by proxy, services and labs. Default: port + 81."
    ).tag(config=True)

    proxy_api_port = Int(help="TCP port of the proxy's API on loopback. Default: port + 1.").tag(
        config=True
    )

    portal_port = Int(help="TCP port of the portal on loopback. Default: port + 10.").tag(
        config=True
    )

    base_url = Unicode("/", help="Path below which everything is served.").tag(config=True)

    public_url = Unicode(
        help="""Address people use, such as ``https://hub.example.edu/``, with base_url as its path.
        Set it behind a web server with TLS: then all cookies are for https only.""",
    ).tag(config=True)

    subdomain_host = Unicode(
        help="""Gives each project's labs, and each person's own, a domain below this address, such
        as ``https://hub.example.edu``, so that scripts in labs cannot act elsewhere as the person
        who looks. Needs DNS and a certificate for ``*.hub.example.edu``; includes public_url.""",
    ).tag(config=True)

    authenticator = Unicode(
        "sophon-local",
        help="""How people sign in: ``sophon-local`` for accounts with passwords kept by the
        hub, or any JupyterHub authenticator by entry point or class path; reserved names are
        refused with all of them.""",
    ).tag(config=True)

    proxy_secret_file = Unicode(
        help="""File with the secret that the web server in front sends when it has signed
        somebody in, for ``sophon-proxy`` and ``sophon-cosign``: at least 32 characters, readable
        by the hub's user only. More than one line: each counts.""",
    ).tag(config=True)

    environment_file = Unicode(
        help="File from which systemd reads settings; checked to be unreadable for others."
    ).tag(config=True)

    admin_user = Unicode(
        help="""Name of the first administrator: ``admin`` with local accounts, where it is created
        at the first start, with a generated password written to ``admin-password`` in the data
        directory. With any other authenticator nobody until you say who.""",
    ).tag(config=True)

    open_signup = Bool(
        False,
        help="""Whether people may create local accounts for themselves. With ``allowed_users``,
        which it needs beyond loopback, under these names only: whoever is first has one.""",
    ).tag(config=True)

    accounts_file = Unicode(
        help="""JSON file of local accounts to create at start when they are missing:
        ``[{"username", "password", "display_name"}, ...]``. Must not be readable by others.
        Existing accounts, and their passwords, are left alone.""",
    ).tag(config=True)

    retention_days = Int(
        30,
        min=0,
        help="""Days after which what is in the trash is removed for good, with all files; its
        owners can have it removed earlier.""",
    ).tag(config=True)

    reconcile_seconds = Int(
        120, help="Seconds between two passes that repair differences between portal and Hub."
    ).tag(config=True)

    @default("data_dir")
    def _default_data_dir(self) -> str:
        return str(Path("data").resolve())

    @validate("data_dir")
    def _absolute_data_dir(self, proposal: dict[str, Any]) -> str:
        return str(Path(proposal["value"]).expanduser().resolve())

    @default("database_url")
    def _default_database_url(self) -> str:
        return f"sqlite:///{self.data_dir}/sophon.sqlite"

    @default("admin_user")
    def _first_administrator(self) -> str:
        # another authenticator may give this name to whoever asks for it
        return "admin" if self.authenticator == "sophon-local" else ""

    @default("hub_database_url")
    def _default_hub_database_url(self) -> str:
        return f"sqlite:///{self.data_dir}/jupyterhub.sqlite"

    @default("hub_port")
    def _default_hub_port(self) -> int:
        return self.port + 81

    @default("proxy_api_port")
    def _default_proxy_api_port(self) -> int:
        return self.port + 1

    @default("portal_port")
    def _default_portal_port(self) -> int:
        return self.port + 10

    @property
    def data_path(self) -> Path:
        """`data_dir` as a path."""
        return Path(self.data_dir)

    def prepare_data_dir(self) -> Path:
        """Make the data directory, readable by its owner only, and give its path."""
        path = self.data_path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path
