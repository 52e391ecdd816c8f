"""The users, groups and servers of a hub, in memory, as the worker asks for them."""

from collections.abc import AsyncIterator, Collection

from sophon_hub import names
from sophon_hub.hub import Account, HubRefused, Server, Step


class MemoryHub:
    """A hub that does everything at once and refuses what the real one refuses."""

    def __init__(self, people: Collection[str], admins: Collection[str] = ()) -> None:
        self.users: dict[str, set[str]] = {name: set() for name in people}
        """The running servers of each user."""
        self.members: dict[str, set[str]] = {names.ALL_ACCOUNTS_GROUP: set()}
        """Who is in each group."""
        self._admins = set(admins)

    async def make_user(self, username: str) -> None:
        self.users.setdefault(username, set())

    async def delete_user(self, username: str) -> None:
        if self.users.get(username):
            raise HubRefused(400, "servers run")
        self.users.pop(username, None)
        for members in self.members.values():
            members.discard(username)

    async def has_user(self, username: str) -> bool:
        return username in self.users

    async def accounts(self, *, active_only: bool = False) -> AsyncIterator[Account]:
        for name, running in list(self.users.items()):
            servers = tuple(self._server(name, one) for one in sorted(running))
            if servers or not active_only:
                yield Account(name, name in self._admins, name.title(), servers)

    async def make_group(self, name: str) -> None:
        self.members.setdefault(name, set())

    async def delete_group(self, name: str) -> None:
        self.members.pop(name, None)

    async def groups(self) -> dict[str, set[str]]:
        return {name: set(members) for name, members in self.members.items()}

    async def group_members(self, name: str) -> set[str] | None:
        return set(self.members[name]) if name in self.members else None

    async def add_to_group(self, name: str, usernames: Collection[str]) -> None:
        if not usernames:
            return
        if name not in self.members or not set(usernames) <= self.users.keys():
            raise HubRefused(400, "no such group or user")
        self.members[name] |= set(usernames)

    async def remove_from_group(self, name: str, usernames: Collection[str]) -> None:
        self.members[name] -= set(usernames)

    async def server_names(self, username: str) -> list[str]:
        return sorted(self.users.get(username, ()))

    async def server(self, username: str, name: str) -> Server | None:
        return self._server(username, name) if name in self.users.get(username, ()) else None

    async def start_server(self, username: str, name: str, display_name: str) -> None:
        if username not in self.users:
            raise HubRefused(404, f"no user, so no {display_name}")
        self.users[username].add(name)

    async def follow_start(self, username: str, name: str) -> AsyncIterator[Step]:
        ready = name in self.users[username]
        yield Step(100, "Ready", ready=ready, failed=not ready)

    async def stop_server(self, username: str, name: str, *, remove: bool = False) -> None:
        self.users.get(username, set()).discard(name)

    @staticmethod
    def _server(username: str, name: str) -> Server:
        return Server(username, name, ready=True, pending=None, stopped=False, last_activity=None)
