"""The list of projects stays quick when there are many: what SQLite does for it."""

from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from sophon_hub.store import projects
from sophon_hub.store.paging import Paging
from tests.cast import Cast


def plans_of_the_list(engine: Engine, name: str) -> list[str]:
    """How SQLite would count the projects, and find the first ones, for one of the cast."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    with Session(engine) as session:
        actor = Cast.enter(session).actor(name)
        event.listen(engine, "before_cursor_execute", note)
        try:
            projects.list_projects(session, actor, Paging())
        finally:
            event.remove(engine, "before_cursor_execute", note)
        steps = [
            session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            for statement, values in asked
        ]
        return [" | ".join(row.detail for row in rows) for rows in steps]


@pytest.mark.parametrize("name", ["guest", "barbara", "grace", "ada", "root"])
def test_projects_are_counted_in_an_index_and_read_in_order_up_to_the_limit(
    sqlite_engine: Engine, name: str
) -> None:
    count, page = plans_of_the_list(sqlite_engine, name)
    assert "USING COVERING INDEX ix_research_projects_visible" in count
    assert "TEMP B-TREE" not in page
