"""The accounts a new hub begins with: the first administrator, and those of a file."""

import json
from pathlib import Path
from typing import Any

from sophon_hub.authenticator import passwords
from sophon_hub.authenticator.local import LocalAuthenticator
from sophon_hub.errors import SophonError
from sophon_hub.secret_files import require_private, write_secret
from sophon_hub.settings import BadSetting
from sophon_hub.store import accounts
from sophon_hub.store.engine import reading

ADMIN_PASSWORD_FILE = "admin-password"  # noqa: S105 - a file name
MINIMUM_OF_ADMINS = 12
FIELDS = {"username", "password", "display_name"}


def prepare_accounts(authenticator: LocalAuthenticator) -> Path | None:
    """Create what is missing; the path of the administrator's password when that was made."""
    path = _first_admin(authenticator)
    if authenticator.settings.accounts_file:
        _from_file(authenticator, Path(authenticator.settings.accounts_file))
    return path


def refuse_short_passwords(authenticator: LocalAuthenticator) -> None:
    """Refuse passwords of administrators that somebody has written down and made too short.

    Those of other people only have to be hard to guess.
    """
    settings = authenticator.settings
    made = settings.data_path / ADMIN_PASSWORD_FILE
    written = [(made, settings.admin_user, made.read_text().strip())] if made.is_file() else []
    if settings.accounts_file:
        path = Path(settings.accounts_file)
        written += [(path, entry["username"], entry["password"]) for entry in _entries(path)]
    for path, username, password in written:
        name = authenticator.normalize_username(username.strip())
        if name in {settings.admin_user, *authenticator.admin_users} and (
            len(password) < MINIMUM_OF_ADMINS
        ):
            raise BadSetting(
                f"{path}: the password of the administrator {name} has fewer than"
                f" {MINIMUM_OF_ADMINS} characters. Choose a longer one; one way:"
                " openssl rand -hex 12"
            )


def _first_admin(authenticator: LocalAuthenticator) -> Path | None:
    settings = authenticator.settings
    path = settings.prepare_data_dir() / ADMIN_PASSWORD_FILE
    with reading(authenticator.engine) as session:
        missing = accounts.system_find_account(session, settings.admin_user) is None
        is_new_hub = accounts.system_count_accounts(session) == 0
    # made before and missing now: somebody deleted it on purpose
    if not missing or (path.exists() and not is_new_hub):
        return None
    if path.exists():
        require_private(path)
    else:
        write_secret(path, passwords.generate())
    password = path.read_text().strip()
    try:
        authenticator.create_account(settings.admin_user, password, "Administrator")
    except SophonError as error:
        raise BadSetting(f"admin_user is {settings.admin_user!r}: {error.detail}") from None
    return path


def _from_file(authenticator: LocalAuthenticator, path: Path) -> None:
    for number, entry in enumerate(_entries(path), start=1):
        username = authenticator.normalize_username(entry["username"].strip())
        if authenticator.has_account(username):
            continue
        try:
            authenticator.create_account(username, entry["password"], entry.get("display_name", ""))
        except SophonError as error:
            raise BadSetting(f"{path}, account {number}: {error.detail}") from None


def _entries(path: Path) -> list[dict[str, str]]:
    try:
        require_private(path)
        entries: Any = json.loads(path.read_text())
    except OSError as error:
        raise BadSetting(f"accounts_file {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadSetting(f"accounts_file {path} is not JSON: {error}") from None
    if not (
        isinstance(entries, list)
        and all(
            isinstance(entry, dict)
            and {"username", "password"} <= entry.keys() <= FIELDS
            and all(isinstance(value, str) for value in entry.values())
            for entry in entries
        )
    ):
        raise BadSetting(
            f"accounts_file {path} has another shape than"
            ' [{"username": "...", "password": "...", "display_name": "..."}, ...]'
        )
    return entries
