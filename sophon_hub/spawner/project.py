"""The part of the spawner that is the same for containers and processes.

It decides who a server belongs to and what may run, and leaves the running to the class below.
"""

import inspect
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from traitlets import Bool

from sophon_hub import names
from sophon_hub.addresses import Addresses
from sophon_hub.amounts import parse_bytes
from sophon_hub.lab_messages import LabMessages
from sophon_hub.settings import Sophon
from sophon_hub.spawner import records
from sophon_hub.spawner.access import admit_visitor, ensure_role, skip_consent
from sophon_hub.spawner.plan import (
    VISITOR_ARGUMENTS,
    VISITOR_ENVIRONMENT,
    LaunchPlan,
    lab_plan,
    personal_plan,
    personal_uid,
    refusal,
    temporary_plan,
)
from sophon_hub.spawner.progress import ProgressBoard
from sophon_hub.spawner.saving import flush
from sophon_hub.spawner.upstream import AnySpawner
from sophon_hub.store.launch import LaunchSpec

LAB_PACKAGE = "sophon_lab"
IDENTITY_PROVIDER = f"{LAB_PACKAGE}.extension.SophonIdentityProvider"
"""The package of `images/lab` that runs inside every lab."""

LAB_CACHE_SECONDS = 4
"""Longest time for which a lab answers requests of somebody without asking the Hub."""

PULL_SECONDS = 1800
"""Longest time for fetching an image, on top of the setting `start_timeout`."""


class ProjectMixin(AnySpawner):
    """Labs of projects and personal labs, over any spawner.

    ``settings`` is set once for all spawners by `sophon_hub.config`; without it the environment
    is read at first use.
    """

    settings: ClassVar[Sophon | None] = None

    manage_people = Bool(
        True,
        config=True,
        help="""Whether servers of people are Sophon's personal labs: one a person, default
        image and limits, a home of its own. Turned off, they are left to the underlying
        spawner and its own configuration, for sites that have one and add projects to it.""",
    )

    _plan: LaunchPlan | None = None
    _board: ProgressBoard | None = None
    _uid: str = ""
    _group: str = ""

    @classmethod
    def sophon(cls) -> Sophon:
        """The settings of this hub."""
        if ProjectMixin.settings is None:
            ProjectMixin.settings = Sophon.load()
        return ProjectMixin.settings

    @property
    def is_account(self) -> bool:
        """Whether the server belongs to a project, not to a person."""
        return names.project_of_account(self.user.name) is not None

    @property
    def is_temporary(self) -> bool:
        """Whether the server belongs to a visitor."""
        return names.is_temporary(self.user.name)

    @property
    def is_managed(self) -> bool:
        """Whether Sophon decides how this server runs."""
        return self.manage_people or names.is_reserved_username(self.user.name)

    async def start(self) -> Any:
        """Run what Sophon's records say, whatever was asked for."""
        if not self.is_managed:
            return await super().start()
        self._forget_options()
        board = self._current_board()
        settings = self.sophon()
        try:
            self._plan = plan = await self._make_plan()
            self._uid, self._group = plan.uid, plan.group
            if plan.kind == "lab":
                ensure_role(self.user.db, plan.group)
                skip_consent(self)
            elif plan.kind == "temporary":
                admit_visitor(self.user.db, self.user.orm_user)
                for argument, value in VISITOR_ARGUMENTS.items():
                    self._set_argument(argument, value)
            self.default_url = "/lab"
            seconds = min(settings.access_cache_seconds, LAB_CACHE_SECONDS)
            self._set_argument("--HubOAuth.cache_max_age", seconds)
            self._protect_pages(settings)
            self._load_lab_package(settings, plan)
            return await self.start_plan(plan)
        finally:
            board.close()

    def run_pre_spawn_hook(self) -> Any:
        """Let the Hub wait for as long as we do; it looks at its limit before `start` runs."""
        if self.is_managed:
            self.start_timeout = self.sophon().start_timeout + PULL_SECONDS
        return super().run_pre_spawn_hook()

    async def start_plan(self, plan: LaunchPlan) -> Any:
        """Start a server as planned and give its address; replaced by each platform's part."""
        return await super().start()

    async def save_documents(self) -> None:
        """Have the running lab save what is open in it, with a time limit; never raises."""
        if self.server is not None:
            await flush(self.sophon(), self.server.url, self._log_name)

    async def remove_home(self, uids: set[str]) -> None:
        """Delete the homes with these ids, if they are there; each platform has its own."""

    async def find_homes(self) -> set[str]:
        """Ids of homes that carry the labels of this owner and server, if the platform knows."""
        return set()

    def _forget_options(self) -> None:
        self.user_options = {}
        self.orm_spawner.user_options = {}
        self.user.db.commit()

    def _set_argument(self, name: str, value: object) -> None:
        kept = [argument for argument in self.args if not argument.startswith(f"{name}=")]
        self.args = [*kept, f"{name}={value}"]

    def _protect_pages(self, settings: Sophon) -> None:
        """Headers and cookies of the lab's own pages; what a site passes itself stays."""
        name = "--ServerApp.tornado_settings"
        if any(argument.startswith(f"{name}=") for argument in self.args):
            return
        # its scripts read the word against forgery from the cookie, so that is not HttpOnly
        cookies: dict[str, object] = {"samesite": "Lax"}
        if Addresses.of(settings).is_https:
            cookies["secure"] = True
        headers = {"Referrer-Policy": "same-origin"}  # addresses tell the names of projects
        self._set_argument(name, {"headers": headers, "xsrf_cookie_kwargs": cookies})

    def _load_lab_package(self, settings: Sophon, plan: LaunchPlan) -> None:
        """Have the server run `sophon_lab`; arguments win over files that are in a home."""
        if plan.kind == "lab":
            # Python's files there are code in the server, and everybody in the lab writes them
            self.disable_user_config = True
            self._keep_versions(settings)
        self._set_argument("--ServerApp.jpserver_extensions", {LAB_PACKAGE: True})
        self._set_argument("--ServerApp.identity_provider_class", IDENTITY_PROVIDER)
        key = LabMessages.of(settings).public_key
        self._set_argument("--SophonLab.message_key", key)

    def _keep_versions(self, settings: Sophon) -> None:
        """Have the lab keep versions of notebooks; the portal shows those of projects' labs."""
        self._set_argument("--SophonLab.history_minutes", settings.history_minutes)
        self._set_argument("--SophonLab.history_versions", settings.history_versions)
        self._set_argument("--SophonLab.history_size", parse_bytes(settings.history_size))

    async def _make_plan(self) -> LaunchPlan:
        settings = self.sophon()
        if self.is_account:
            return lab_plan(settings, await self._read_spec())
        if self.is_temporary:
            if self.name or not await records.is_temporary_lab(settings, self.user.name):
                raise refusal("There is no such temporary lab.", "temporary-unknown", 404)
            return temporary_plan(settings, names.temporary_uid(self.user.name))
        if self.name:
            raise refusal(
                "You have one personal lab. Further labs belong to a project: create one there.",
                "named-personal",
                403,
            )
        uid = personal_uid(self.user.orm_user)
        spec = await records.personal_spec(settings, self.user.name, uid)
        return personal_plan(settings, uid, spec)

    def get_env(self) -> dict[str, str]:
        """The environment of the server."""
        env = super().get_env()
        return env | VISITOR_ENVIRONMENT if self.is_temporary else env

    async def _read_spec(self) -> LaunchSpec | None:
        return await records.launch_spec(self.sophon(), self.user.name, self.name)

    async def check_group(self) -> None:
        """Give the role to the right group when a running lab's project has moved."""
        if not self.is_account or not self._group:
            return
        spec = await self._read_spec()
        if spec is not None and spec.group_slug != self._group:
            self._group = spec.group_slug
            ensure_role(self.user.db, spec.group_slug)

    async def _run_apply_user_options(self, user_options: dict[str, Any]) -> None:
        if not self.is_managed:
            await super()._run_apply_user_options(user_options)

    async def get_options_form(self) -> Any:
        """No form: there is nothing to choose on the way into a lab."""
        return "" if self.is_managed else await super().get_options_form()

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What the start is doing, in words; any number of listeners, early or late."""
        events = self._current_board().listen() if self.is_managed else super().progress()
        async for event in events:
            yield event

    def _current_board(self) -> ProgressBoard:
        """The board of the start that is under way, or of the next: listeners may come first."""
        if self._board is None or self._board.closed:
            self._board = ProgressBoard()
        return self._board

    async def rename(self, old_name: str, new_name: str) -> None:
        """Refused: a lab keeps its address."""
        if self.is_managed:
            raise refusal(
                "A lab keeps its address. Change its name on the lab's page.", "rename", 409
            )
        await super().rename(old_name, new_name)

    async def delete_forever(self) -> None:
        """Remove the home of a lab that is gone or in the trash, or of a deleted person."""
        if not self.is_managed:
            result = super().delete_forever()
            if inspect.isawaitable(result):
                await result
            return
        if not self.is_account:
            await self.remove_home({personal_uid(self.user.orm_user)})
            return
        spec = await self._read_spec()
        if spec is not None and not spec.deleted:
            self.log.error("Kept the home of %s: Sophon still has the lab", self._log_name)
            return
        if spec is not None:
            await self.remove_home({spec.uid})
            return
        found = {uid for uid in {self._uid, *await self.find_homes()} if uid}
        await self.remove_home(found - await records.uids_in_use(self.sophon(), found))

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up again after a restart of the Hub: access to running labs included."""
        super().load_state(state)
        mine = state.get("sophon", {})
        self._uid = mine.get("uid", "")
        self._group = mine.get("group", "")
        if self.is_temporary:
            # where people have to be allowed, the Hub gives its role back at its start
            admit_visitor(self.user.db, self.user.orm_user)
        if self._group and self.orm_spawner.server is not None:
            ensure_role(self.user.db, self._group)
            skip_consent(self)

    def get_state(self) -> dict[str, Any]:
        """What has to outlive the Hub's process; the home's id also outlives the server."""
        state: dict[str, Any] = super().get_state()
        if self._uid:
            state["sophon"] = {"uid": self._uid, "group": self._group}
        return state
