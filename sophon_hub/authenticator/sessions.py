"""Ending the sessions of somebody who signed out, or has a new password."""

from typing import Any

from jupyterhub.utils import new_token


def end_sessions(db: Any, user: Any, but: str | None = None) -> None:
    """Sign somebody out everywhere, except in the browser with this session."""
    if user is None:  # has never signed in
        return
    for token in list(user.orm_user.api_tokens):
        if token.session_id and token.session_id != but:
            db.delete(token)
    user.orm_user.cookie_id = new_token()
    db.commit()
