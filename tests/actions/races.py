"""Several people at once, on real threads with a connection each."""

from collections.abc import Callable, Sequence
from threading import Barrier, Thread
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sophon_hub.errors import SophonError
from sophon_hub.policy.actor import Actor
from sophon_hub.store.engine import transact
from tests.cast import actor

Do = Callable[[Session, Actor], Any]
PATIENCE = 30


def at_once(engine: Engine, *runners: tuple[str, Do]) -> list[Any]:
    """What each of them gets: the result, or the error they are told.

    Everybody has found out who they are before anybody acts. On SQLite that would never end,
    since the first holds the only write lock: there they only start together.
    """
    together = Barrier(len(runners))
    results: list[Any] = [None] * len(runners)

    def run(place: int, name: str, do: Do) -> None:
        waits = [True]

        def work(session: Session) -> Any:
            someone = actor(session, name)
            if waits.pop() if waits else False:
                together.wait(PATIENCE)
            return do(session, someone)

        if engine.dialect.name == "sqlite":
            waits.clear()
            together.wait(PATIENCE)
        try:
            results[place] = transact(engine, work)
        except SophonError as error:
            results[place] = error

    threads = [
        Thread(target=run, args=(place, name, do)) for place, (name, do) in enumerate(runners)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def errors(results: Sequence[Any]) -> list[SophonError]:
    return [result for result in results if isinstance(result, SophonError)]
