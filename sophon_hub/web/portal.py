"""What every request handler can reach: settings, database, the Hub's login, templates."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from jinja2 import Environment
from jupyterhub.services.auth import HubOAuth

from sophon_hub.addresses import Addresses
from sophon_hub.audit import EventBudget
from sophon_hub.metrics.exposition import Metrics
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import Engine, Session, reading, transact
from sophon_hub.web.looks import RecentLooks
from sophon_hub.web.visitors import ClaimBuckets

T = TypeVar("T")

THREADS = 4
"""Database work is short; more threads than this only wait for one another."""


@dataclass
class Portal:
    """The portal's parts. One a process.

    ``prefix`` is the path of the portal with slashes at both ends, ``hub_prefix`` that of the
    Hub. ``known_people`` are those whose records say what the Hub told last: display name,
    admin or not. ``metrics`` counts requests, ``claims`` the temporary labs that addresses ask
    for. ``looks`` are what administrators have looked at lately;
    ``refusals`` says how many more are written down.
    """

    settings: Sophon
    engine: Engine
    hub_auth: HubOAuth
    templates: Environment
    prefix: str = "/services/sophon/"
    hub_prefix: str = "/hub/"
    addresses: Addresses = field(default_factory=Addresses)
    executor: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="database")
    )
    claims: ClaimBuckets = field(default_factory=ClaimBuckets)
    known_people: dict[str, tuple[str | None, bool]] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    looks: RecentLooks = field(default_factory=RecentLooks)
    refusals: EventBudget = field(default_factory=EventBudget)

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` with a reading session, off the event loop."""

        def run() -> T:
            with reading(self.engine) as session:
                return work(session)

        return await asyncio.get_running_loop().run_in_executor(self.executor, run)

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one writing transaction, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(
            self.executor, transact, self.engine, work
        )
