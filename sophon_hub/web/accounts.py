"""Learning of hub accounts whose people have not used the portal yet."""

from jupyterhub.httpclient import fetch
from jupyterhub.utils import url_path_join

from sophon_hub import names
from sophon_hub.actions.people import note_person
from sophon_hub.errors import Unavailable
from sophon_hub.store import people
from sophon_hub.web.handlers import BaseHandler
from sophon_hub.web.identity import GUEST


async def ensure_known(handler: BaseHandler, username: str) -> None:
    """Make the record of somebody who has an account at the Hub but never came to the portal.

    Does nothing for guests, for known people, and for names without an account.
    """
    portal = handler.portal
    if await handler.caller() == GUEST or names.is_reserved_username(username):
        return
    if not 1 <= len(username) <= names.MAX_USERNAME or "/" in username:
        return
    if await portal.read(lambda session: people.find_person(session, username)):
        return
    answer = await fetch(
        url_path_join(portal.hub_auth.api_url, "users", username),
        headers={"Authorization": f"token {portal.hub_auth.api_token}"},
        raise_for_status=False,
    )
    if answer.status == 404:
        return
    if answer.status != 200:
        raise Unavailable("The hub does not answer; please try again.")
    user = await answer.json()
    info = user.get("user_info") or {}
    display_name = info.get("display_name") or info.get("name")
    await portal.write(
        lambda session: note_person(
            session, user["name"], display_name, is_admin=bool(user.get("admin"))
        )
    )
