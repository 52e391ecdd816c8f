"""People of a campus in a running hub: signing in with groups, and what the hub made of it."""

import re
import sqlite3
from typing import Any

import requests
from running import Browser, RunningHub
from signing_on import SECRET
from sqlalchemy import select

from sophon_hub.models import AuditEvent, Membership, Person, ResearchGroup
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import make_engine, reading, writing
from tests import make

LOGIN = "/hub/sso/login"
API = "/services/sophon/api/v1"


def sign_on(hub: RunningHub, username: str, *groups: str, **headers: str) -> Browser:
    """Somebody comes by the sign-on system, which names these groups of theirs."""
    browser = hub.browser()
    values = {"X-Sso-User": username, "X-Sso-Secret": SECRET, **headers}
    if groups:
        values["X-Sso-Groups"] = ";".join(groups)
    answer = browser.page(LOGIN, headers=values, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return browser


class Caller:
    """The REST API, asked by somebody who has signed in."""

    def __init__(self, browser: Browser, username: str) -> None:
        self.browser = browser
        self._origin = browser.origin
        found = re.search(r'xsrf_token: "([^"]*)"', browser.page("/hub/token").text)
        assert found is not None
        answer = browser.post(
            f"{browser.origin}/hub/api/users/{username}/tokens",
            json={},
            headers={"X-XSRFToken": found[1], "Referer": f"{browser.origin}/hub/token"},
            timeout=30,
        )
        assert answer.status_code == 201, answer.text
        self.headers = {"Authorization": f"token {answer.json()['token']}"}

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(
            method, f"{self._origin}{API}/{path}", json=body, headers=self.headers, timeout=30
        )

    def expect(self, status: int, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


class Database:
    """Sophon's own tables of a running hub, and the Hub's groups."""

    def __init__(self, hub: RunningHub) -> None:
        self._hub = hub
        self.engine = make_engine(Sophon(data_dir=str(hub.data)).database_url)

    def add_group(self, slug: str, **values: Any) -> None:
        with writing(self.engine) as session:
            make.group(session, slug, **values)

    def add_person(self, username: str, **values: Any) -> None:
        with writing(self.engine) as session:
            make.person(session, username, **values)

    def memberships(self, username: str) -> dict[str, tuple[str, str]]:
        """Role and source by research group."""
        query = (
            select(ResearchGroup.slug, Membership.role, Membership.source)
            .join(Membership, Membership.group_id == ResearchGroup.id)
            .join(Person, Person.id == Membership.person_id)
            .where(Person.username == username)
        )
        with reading(self.engine) as session:
            return {slug: (str(role), str(source)) for slug, role, source in session.execute(query)}

    def events(self, prefix: str = "") -> list[AuditEvent]:
        """Audit events, oldest first."""
        with reading(self.engine) as session:
            rows = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
            return [row for row in rows if row.action.startswith(prefix)]

    def hub_groups(self, username: str) -> set[str]:
        """The Hub's own groups of somebody."""
        path = f"file:{self._hub.data}/jupyterhub.sqlite?mode=ro"
        with sqlite3.connect(path, uri=True) as database:
            rows = database.execute(
                "select groups.name from groups join user_group_map on group_id = groups.id"
                " join users on users.id = user_id where users.name = ?",
                [username],
            ).fetchall()
        return {name for (name,) in rows}
