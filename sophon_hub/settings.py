"""Every setting of Sophon Hub, once: as a trait and as an environment variable.

``SOPHON_PORT=9000`` and ``c.Sophon.port = 9000`` (before ``configure(c)``) mean the same; a
trait set in the configuration file wins. The Hub hands its settings to portal and worker
through the environment (`Sophon.environment`). The help texts are the documentation:
docs/reference/settings.md is generated from them.
"""

import json
import os
from pathlib import Path
from typing import Any, Self

from traitlets import (
    Bool,
    Dict,
    Enum,
    Float,
    Int,
    TraitError,
    TraitType,
    Unicode,
    default,
    validate,
)
from traitlets.config import Config, Configurable

from sophon_hub.errors import SophonError
from sophon_hub.temporary_settings import TEMPORARY_IMAGE, TemporarySettings

PREFIX = "SOPHON_"
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


class BadSetting(SophonError):
    """A setting has a value that cannot work; the text says which, and what to set."""


def parse_bytes(text: str) -> int:
    """Read an amount of memory such as ``512M`` or ``2G`` as bytes (powers of 1024)."""
    text = text.strip().upper().removesuffix("B")
    unit = text[-1:] if text[-1:].isalpha() else ""
    try:
        amount = int(float(text[: len(text) - len(unit)]) * UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        amount = 0
    if amount <= 0:
        raise ValueError(f"{text!r} is no amount of memory; write for example 512M or 2G")
    return amount


class Sophon(TemporarySettings, Configurable):
    """Settings shared by Hub, portal, worker and command line."""

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

    spawner = Enum(
        ["docker", "process"],
        default_value="docker",
        help="""How labs run: ``docker`` in containers; ``process`` as plain processes of the
        hub's own user, without any isolation: for a look on loopback only.""",
    ).tag(config=True)

    namespace = Unicode(
        "sophon",
        help="""Prefix of the containers, volumes and networks of this hub, and the value of
        their label ``org.sophon.namespace``. Two hubs on one engine need two namespaces.""",
    ).tag(config=True)

    images = Dict(
        help="""Lab images people may choose: name -> ``{"image": reference, "title": ...,
        "description": ...}``. Default: ``lab``, built from images/lab. In the environment
        write JSON.""",
    ).tag(config=True)

    default_image = Unicode("lab", help="Name of the image new labs get.").tag(config=True)

    cpu_limit = Float(2.0, help="Cores a lab may use unless it says otherwise.").tag(config=True)

    max_cpu_limit = Float(8.0, help="Most cores that may be set for a lab.").tag(config=True)

    memory_limit = Unicode(
        "2G", help="Memory a lab may use unless it says otherwise, such as 512M or 2G."
    ).tag(config=True)

    max_memory_limit = Unicode("8G", help="Most memory that may be set for a lab.").tag(config=True)

    pids_limit = Int(512, help="Most processes and threads in a lab.").tag(config=True)

    start_timeout = Int(
        120, help="Seconds after which a lab that does not answer counts as failed."
    ).tag(config=True)

    stop_timeout = Int(
        10, help="Seconds a lab has to end by itself before its container is killed."
    ).tag(config=True)

    access_cache_seconds = Int(
        15,
        min=1,  # JupyterHub takes 0 for "for ever"
        help="""Seconds for which portal and labs may remember that somebody may enter; a removed
        person is refused new requests after this time at the latest. At least 1.""",
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

    admin_user = Unicode(
        "admin",
        help="""Name of the first administrator. With local accounts it is created at the first
        start, with a generated password written to ``admin-password`` in the data directory.""",
    ).tag(config=True)

    open_signup = Bool(False, help="Whether people may create local accounts for themselves.").tag(
        config=True
    )

    accounts_file = Unicode(
        help="""JSON file of local accounts to create at start when they are missing:
        ``[{"username", "password", "display_name"}, ...]``. Must not be readable by others.
        Existing accounts, and their passwords, are left alone.""",
    ).tag(config=True)

    retention_days = Int(30, help="Days after which what is in the trash is removed for good.").tag(
        config=True
    )

    reconcile_seconds = Int(
        120, help="Seconds between two passes that repair differences between portal and Hub."
    ).tag(config=True)

    def __init__(self, config: Config | None = None, **settings: Any) -> None:
        environment = {
            name: self._from_environment(name, trait)
            for name, trait in self.class_traits(config=True).items()
            if PREFIX + name.upper() in os.environ
            and name not in settings
            and not (config is not None and name in config.get("Sophon", {}))
        }
        try:
            super().__init__(config=config, **environment, **settings)
        except TraitError as error:
            raise BadSetting(f"A setting has a wrong value: {error}") from None
        self._check_images()

    def _check_images(self) -> None:
        for name, image in self.images.items():
            if not (isinstance(image, dict) and isinstance(image.get("image"), str)):
                raise BadSetting(
                    f'The setting images needs {name!r} to be {{"image": reference, ...}}.'
                )
        chosen = {"default_image": self.default_image, "temporary_image": self.temporary_image_name}
        for setting, name in chosen.items():
            if name not in self.images:
                raise BadSetting(
                    f"The setting {setting} is {name!r}, which is not in images: "
                    + ", ".join(sorted(self.images))
                )

    @staticmethod
    def _from_environment(name: str, trait: TraitType[Any, Any]) -> Any:
        text = os.environ[PREFIX + name.upper()]
        try:
            return json.loads(text) if isinstance(trait, Dict) else trait.from_string(text)
        except (TraitError, ValueError) as error:
            raise BadSetting(f"{PREFIX}{name.upper()}={text!r} cannot be read: {error}") from None

    @default("data_dir")
    def _default_data_dir(self) -> str:
        return str(Path("data").resolve())

    @validate("data_dir")
    def _absolute_data_dir(self, proposal: dict[str, Any]) -> str:
        return str(Path(proposal["value"]).expanduser().resolve())

    @default("database_url")
    def _default_database_url(self) -> str:
        return f"sqlite:///{self.data_dir}/sophon.sqlite"

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

    @default("images")
    def _default_images(self) -> dict[str, Any]:
        return {
            "lab": {
                "image": "sophon-hub/lab:latest",
                "title": "JupyterLab",
                "description": "JupyterLab with real-time collaboration and Python.",
            }
        }

    @validate("memory_limit", "max_memory_limit", "temporary_memory_limit")
    def _readable_memory(self, proposal: dict[str, Any]) -> str:
        try:
            parse_bytes(proposal["value"])
        except ValueError as error:
            raise TraitError(str(error)) from None
        return str(proposal["value"])

    @property
    def memory_limit_bytes(self) -> int:
        """`memory_limit` in bytes."""
        return parse_bytes(self.memory_limit)

    @property
    def max_memory_limit_bytes(self) -> int:
        """`max_memory_limit` in bytes."""
        return parse_bytes(self.max_memory_limit)

    @property
    def temporary_image_name(self) -> str:
        """Name of the image of temporary labs."""
        fitting = TEMPORARY_IMAGE if TEMPORARY_IMAGE in self.images else self.default_image
        return self.temporary_image or fitting

    @property
    def data_path(self) -> Path:
        """`data_dir` as a path."""
        return Path(self.data_dir)

    def prepare_data_dir(self) -> Path:
        """Make the data directory, readable by its owner only, and give its path."""
        path = self.data_path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def environment(self) -> dict[str, str]:
        """All settings as environment variables, for the processes the Hub starts."""
        values: dict[str, str] = {}
        for name in self.class_traits(config=True):
            value = getattr(self, name)
            is_text = isinstance(value, str)
            values[PREFIX + name.upper()] = value if is_text else json.dumps(value)
        return values

    @classmethod
    def load(cls) -> Self:
        """Settings of a process that the Hub, or a person, started: from the environment."""
        return cls()
