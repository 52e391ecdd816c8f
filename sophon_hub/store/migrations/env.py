"""How Alembic runs our migrations: always on the connection that `store.schema` gives it."""

from typing import Any, Literal

from alembic import context

from sophon_hub.models import Base
from sophon_hub.models.base import UTCDateTime


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write plain types into new migrations: they must not change when the models do."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    # SQLite cannot alter most of a table; batch mode copies it
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
