"""Local accounts: used by the authenticator in the Hub's process, never by the edges."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sophon_hub.models import LocalAccount


def system_find_account(session: Session, username: str) -> LocalAccount | None:
    """The account with this user name, if there is one."""
    return session.get(LocalAccount, username)


def system_list_accounts(session: Session) -> Sequence[LocalAccount]:
    """All local accounts by user name."""
    return session.scalars(select(LocalAccount).order_by(LocalAccount.username)).all()


def system_count_accounts(session: Session) -> int:
    """How many local accounts there are."""
    return session.scalar(select(func.count()).select_from(LocalAccount)) or 0


def system_add_account(
    session: Session, username: str, password_hash: str, *, now: datetime
) -> LocalAccount:
    """A new account; `sqlalchemy.exc.IntegrityError` at the flush when the name is taken."""
    account = LocalAccount(
        username=username, password_hash=password_hash, created_at=now, changed_at=now
    )
    session.add(account)
    session.flush()
    return account


def system_set_password(
    session: Session, username: str, password_hash: str, *, now: datetime
) -> bool:
    """Replace the password of an account; False when there is no such account."""
    account = session.get(LocalAccount, username)
    if account is None:
        return False
    account.password_hash = password_hash
    account.changed_at = now
    return True


def system_delete_account(session: Session, username: str) -> None:
    """Remove an account, if there is one: nobody signs in with it any more."""
    account = session.get(LocalAccount, username)
    if account is not None:
        session.delete(account)


def system_rename_account(session: Session, username: str, new_name: str) -> None:
    """Give an account, if there is one, another user name that no account has."""
    account = session.get(LocalAccount, username)
    if account is not None:
        account.username = new_name
        session.flush()
