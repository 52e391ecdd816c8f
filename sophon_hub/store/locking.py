"""Taking rows for a transaction. Always in the order group, project, lab, dataset, and by number.

On SQLite the whole transaction has the write lock already, and this only reads.
"""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from sophon_hub.models import Dataset, Lab, ResearchProject

R = TypeVar("R", ResearchProject, Lab, Dataset)


def lock_rows(session: Session, kind: type[R], condition: ColumnElement[bool]) -> Sequence[R]:
    """Lock the rows that meet the condition and give them as they are now.

    Relationships that were loaded stay loaded, which ``populate_existing`` would undo.
    """
    session.flush()
    session.execute(select(kind.id).where(condition).order_by(kind.id).with_for_update()).all()
    columns = [column.key for column in kind.__mapper__.column_attrs if not column.deferred]
    for row in list(session.identity_map.values()):
        if isinstance(row, kind):
            session.expire(row, columns)
    return session.scalars(select(kind).where(condition).order_by(kind.id)).all()
