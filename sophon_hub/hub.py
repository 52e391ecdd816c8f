"""The Hub's REST API as the worker uses it: typed, and nothing else talks to it.

What is there already counts as made, and what is gone counts as removed: every call can be
repeated.
"""

import json
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

PAGE = 200
"""Most items the Hub gives in one page (JupyterHub.api_page_max_limit)."""

REQUEST_SECONDS = 60
PROGRESS_SILENCE_SECONDS = 300


class HubDown(Exception):
    """The Hub does not answer, or is not ready to."""


class HubRefused(Exception):
    """The Hub answered, but not what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Server:
    """A server of a hub user, as the Hub tells it. ``last_activity`` as RFC 3339."""

    username: str
    name: str
    ready: bool
    pending: str | None
    stopped: bool
    last_activity: str | None


@dataclass(frozen=True)
class Account:
    """A hub user."""

    username: str
    admin: bool
    display_name: str | None
    servers: tuple[Server, ...] = ()


@dataclass(frozen=True)
class Step:
    """One message on the way of a server that starts."""

    progress: int
    message: str
    ready: bool = False
    failed: bool = False


class HubClient:
    """A client of the Hub's REST API. Use it as an asynchronous context manager."""

    def __init__(self, api_url: str, token: str) -> None:
        self._api_url = api_url.rstrip("/")
        self._headers = {"Authorization": f"token {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session:
            await self._session.close()

    async def make_user(self, username: str) -> None:
        """Make a hub user."""
        await self._call("POST", _path("users", username), fine={HTTPStatus.CONFLICT})

    async def delete_user(self, username: str) -> None:
        """Remove a hub user whose servers are stopped, with all its tokens and shares."""
        await self._call("DELETE", _path("users", username), fine={HTTPStatus.NOT_FOUND})

    async def server_names(self, username: str) -> list[str]:
        """All servers of a hub user, stopped ones included; none when there is no such user."""
        status, user = await self._call(
            "GET",
            _path("users", username) + "?include_stopped_servers=1",
            fine={HTTPStatus.NOT_FOUND},
        )
        return [] if status == HTTPStatus.NOT_FOUND else sorted(user["servers"])

    async def make_group(self, name: str) -> None:
        """Make a hub group."""
        await self._call("POST", _path("groups", name), {}, fine={HTTPStatus.CONFLICT})

    async def group_members(self, name: str) -> set[str] | None:
        """Names of the users in a hub group; None when there is no such group."""
        status, group = await self._call("GET", _path("groups", name), fine={HTTPStatus.NOT_FOUND})
        return None if status == HTTPStatus.NOT_FOUND else set(group["users"])

    async def groups(self) -> dict[str, set[str]]:
        """All hub groups with the names of their users."""
        return {group["name"]: set(group["users"]) async for group in self._pages("groups")}

    async def delete_group(self, name: str) -> None:
        """Remove a hub group."""
        await self._call("DELETE", _path("groups", name), fine={HTTPStatus.NOT_FOUND})

    async def add_to_group(self, name: str, usernames: Collection[str]) -> None:
        """Put users into a hub group; all of them must exist."""
        if usernames:
            await self._call("POST", _path("groups", name, "users"), {"users": sorted(usernames)})

    async def remove_from_group(self, name: str, usernames: Collection[str]) -> None:
        """Take users out of a hub group."""
        if usernames:
            await self._call("DELETE", _path("groups", name, "users"), {"users": sorted(usernames)})

    async def has_user(self, username: str) -> bool:
        """Whether there is such a hub user."""
        status, _ = await self._call("GET", _path("users", username), fine={HTTPStatus.NOT_FOUND})
        return status == HTTPStatus.OK

    async def accounts(self, *, active_only: bool = False) -> AsyncIterator[Account]:
        """All hub users; with ``active_only`` those that have a server."""
        query = "users?state=active&" if active_only else "users?"
        async for user in self._pages(query):
            info = user.get("user_info") or {}
            servers = [_server(user["name"], server) for server in user["servers"].values()]
            yield Account(
                username=user["name"],
                admin=bool(user.get("admin")),
                display_name=info.get("display_name") or info.get("name"),
                servers=tuple(servers),
            )

    async def server(self, username: str, name: str) -> Server | None:
        """One server; None when the Hub has never heard of it."""
        status, server = await self._call(
            "GET", _path("users", username, "servers", name), fine={HTTPStatus.NOT_FOUND}
        )
        return None if status == HTTPStatus.NOT_FOUND else _server(username, server)

    async def start_server(self, username: str, name: str, display_name: str) -> None:
        """Have a server started; one that runs or starts already is left alone."""
        status, answer = await self._call(
            "POST",
            _path("users", username, "servers", name),
            {"display_name": display_name, "user_options": {}},
            fine={HTTPStatus.BAD_REQUEST},
        )
        if status == HTTPStatus.BAD_REQUEST and "already running" not in str(answer):
            raise HubRefused(status, str(answer))

    async def stop_server(self, username: str, name: str, *, remove: bool = False) -> None:
        """Have a server stopped; ``remove`` also forgets it and its home."""
        await self._call(
            "DELETE",
            _path("users", username, "servers", name),
            {"remove": remove},
            fine={HTTPStatus.NOT_FOUND},
        )

    async def follow_start(self, username: str, name: str) -> AsyncIterator[Step]:
        """The messages of a server that starts, until it is ready or has failed."""
        path = _path("users", username, "servers", name, "progress")
        timeout = aiohttp.ClientTimeout(total=None, sock_read=PROGRESS_SILENCE_SECONDS)
        try:
            async with self._get_session().get(self._api_url + path, timeout=timeout) as answer:
                if answer.status != HTTPStatus.OK:
                    raise HubRefused(answer.status, await answer.text())
                async for line in answer.content:
                    if line.startswith(b"data:"):
                        yield _step(json.loads(line.removeprefix(b"data:")))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HubDown(str(error)) from error

    async def _pages(self, path: str) -> AsyncIterator[dict[str, Any]]:
        separator = "" if path.endswith(("?", "&")) else "?"
        offset: int | None = 0
        while offset is not None:
            _, page = await self._call(
                "GET", f"/{path}{separator}offset={offset}&limit={PAGE}", paged=True
            )
            for item in page["items"]:
                yield item
            following = page["_pagination"]["next"]
            offset = following["offset"] if following else None

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use HubClient as a context manager")
        return self._session

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        fine: Collection[int] = (),
        paged: bool = False,
    ) -> tuple[int, Any]:
        """Send a request; statuses in ``fine`` are answers, other errors are raised."""
        headers = {"Accept": "application/jupyterhub-pagination+json"} if paged else {}
        try:
            async with self._get_session().request(
                method, self._api_url + path, json=body, headers=headers
            ) as answer:
                text = await answer.text()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HubDown(str(error)) from error
        content = _decode(text)
        if status < HTTPStatus.BAD_REQUEST:
            return status, content
        message = content.get("message", text) if isinstance(content, dict) else text
        if status in fine:
            return status, message
        if status >= HTTPStatus.BAD_GATEWAY or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise HubDown(message)
        raise HubRefused(status, message)


def _decode(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _path(*parts: str) -> str:
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _server(username: str, data: dict[str, Any]) -> Server:
    return Server(
        username=username,
        name=data["name"],
        ready=bool(data.get("ready")),
        pending=data.get("pending"),
        stopped=bool(data.get("stopped")),
        last_activity=data.get("last_activity"),
    )


def _step(data: dict[str, Any]) -> Step:
    return Step(
        progress=int(data.get("progress", 0)),
        message=str(data.get("message", "")),
        ready=bool(data.get("ready")),
        failed=bool(data.get("failed")),
    )
