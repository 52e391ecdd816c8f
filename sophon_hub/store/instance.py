"""The one row about the hub itself."""

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from sophon_hub.errors import Unavailable
from sophon_hub.models import Instance


def get_instance(session: Session) -> Instance:
    """Name and description of the hub; the defaults when nobody has set them."""
    return session.get(Instance, 1) or Instance(id=1, name="Sophon Hub", description="")


def ping(session: Session) -> bool:
    """Whether the database answers.

    Raises:
        Unavailable: it does not.
    """
    try:
        session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        raise Unavailable("The database does not answer.") from error
    return True
