"""Learning of hub accounts whose people have not used the portal yet."""

from typing import Any

from aiohttp import ClientError
from jupyterhub.httpclient import fetch
from jupyterhub.utils import url_escape_path, url_path_join

from sophon_hub import names
from sophon_hub.actions.people import note_person
from sophon_hub.errors import Unavailable
from sophon_hub.store import people
from sophon_hub.web.handlers import BaseHandler
from sophon_hub.web.identity import GUEST
from sophon_hub.web.portal import Portal


async def ensure_known(handler: BaseHandler, username: str) -> None:
    """Make the record of somebody who has an account at the Hub but never came to the portal.

    Does nothing for guests, for known people and for names without an account. Call it after
    finding that the caller may ask: it tells who has an account, and writes that down.
    """
    portal = handler.portal
    if await handler.caller() == GUEST:
        return
    if names.is_reserved_username(username) or not _is_username(username):
        return
    if await portal.read(lambda session: people.find_person(session, username)):
        return
    user = await _ask_hub(portal, username)
    if user is None or user.get("name") != username:
        return
    info = user.get("user_info") or {}
    display_name = info.get("display_name") or info.get("name")
    await portal.write(
        lambda session: note_person(
            session, username, display_name, is_admin=bool(user.get("admin"))
        )
    )


def _is_username(text: str) -> bool:
    """Whether an account could have this name; also keeps paths to other answers of the Hub out."""
    return (
        1 <= len(text) <= names.MAX_USERNAME
        and text.isprintable()
        and "/" not in text
        and text not in {".", ".."}
    )


async def _ask_hub(portal: Portal, username: str) -> dict[str, Any] | None:
    """The Hub's record of an account, None when there is none."""
    try:
        answer = await fetch(
            url_path_join(portal.hub_auth.api_url, "users", url_escape_path(username)),
            headers={"Authorization": f"token {portal.hub_auth.api_token}"},
            raise_for_status=False,
        )
        if answer.status == 404:
            return None
        if answer.status == 200:
            user: dict[str, Any] = await answer.json()
            return user
    except (OSError, ClientError, TimeoutError) as error:
        raise Unavailable("The hub does not answer; please try again.") from error
    raise Unavailable("The hub does not answer; please try again.")
