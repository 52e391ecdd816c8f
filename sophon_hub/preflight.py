"""What is looked at before a hub starts, whoever starts it, and by ``sophon-hub check``."""

from pathlib import Path

from traitlets.config import Config

from sophon_hub import safety
from sophon_hub.addresses import Addresses
from sophon_hub.authenticator import LocalAuthenticator, make_authenticator
from sophon_hub.authenticator.first_accounts import refuse_short_passwords
from sophon_hub.policy.datasets import root_problem
from sophon_hub.secret_files import require_private
from sophon_hub.settings import BadSetting, Sophon


def refuse_unsafe(settings: Sophon, c: Config, host: str | None = None) -> None:
    """Refuse settings that cannot work, must not meet a network, or are readable by others.

    ``host`` is where the proxy listens when a configuration has the last word about that.

    Raises:
        BadSetting: with a sentence that says what to set.
    """
    settings.check_images()
    if settings.spawner == "process" and settings.temporary_labs:
        raise BadSetting(
            "With SOPHON_SPAWNER=process anybody could run programs as the hub's own user. Set"
            " SOPHON_TEMPORARY_LABS=false or SOPHON_SPAWNER=docker."
        )
    Addresses.of(settings)
    if settings.hub_database_url == settings.database_url:
        raise BadSetting(
            "hub_database_url and database_url name the same database. JupyterHub needs one of its"
            " own: set SOPHON_HUB_DATABASE_URL to another."
        )
    if not Path(settings.lessons_dir).is_dir():
        raise BadSetting(
            f"lessons_dir names {settings.lessons_dir}, but there is no such folder. Make it, empty"
            " for no lessons, or leave SOPHON_LESSONS_DIR out for those of the course."
        )
    for root in settings.dataset_roots:
        if problem := root_problem(root, settings.data_dir):
            raise BadSetting(f"dataset_roots names {root!r}: {problem}. Set SOPHON_DATASET_ROOTS.")
    data = settings.data_path
    if data.exists() and data.stat().st_mode & 0o077:
        raise BadSetting(
            f"Others on this machine can get into {data}, where the hub keeps its databases. Run:"
            f" chmod 700 {data}, or set SOPHON_DATA_DIR to a directory of the hub's own."
        )
    if settings.accounts_file:
        path = Path(settings.accounts_file)
        if not path.is_file():
            raise BadSetting(f"accounts_file names {path}, but there is no such file.")
        require_private(path)
    host = settings.host if host is None else host
    safety.refuse_unsafe(settings, c, host)
    if safety.is_exposed(settings, c, host):
        _refuse_open_accounts(settings, c)


def _refuse_open_accounts(settings: Sophon, c: Config) -> None:
    kind = make_authenticator(settings.authenticator)
    if issubclass(kind, LocalAuthenticator):
        merged = Config(dict(c))
        # the settings of the environment, too
        merged["Sophon"] = Config(
            {name: getattr(settings, name) for name in settings.class_traits(config=True)}
        )
        authenticator = kind(config=merged)
        authenticator.refuse_exposed()
        refuse_short_passwords(authenticator)
