"""What the worker's parts share: database and Hub."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from sophon_hub.hub import HubClient
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import Engine, Session, reading, transact

T = TypeVar("T")

SYSTEM = Actor(via="system")
"""The hub itself, where it acts without being asked."""


@dataclass
class Context:
    """Database access off the event loop, the Hub, and the settings.

    ``actor`` is the hub itself, with the id of the job that is done, if it is one.
    """

    engine: Engine
    hub: HubClient
    settings: Sophon
    actor: Actor = SYSTEM
    executor: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(4, thread_name_prefix="database")
    )

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` with a reading session."""

        def run() -> T:
            with reading(self.engine) as session:
                return work(session)

        return await asyncio.get_running_loop().run_in_executor(self.executor, run)

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one writing transaction."""
        return await asyncio.get_running_loop().run_in_executor(
            self.executor, transact, self.engine, work
        )
