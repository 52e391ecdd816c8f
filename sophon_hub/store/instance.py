"""The one row about the hub itself."""

from sqlalchemy.orm import Session

from sophon_hub.models import Instance


def get_instance(session: Session) -> Instance:
    """Name and description of the hub; the defaults when nobody has set them."""
    return session.get(Instance, 1) or Instance(id=1, name="Sophon Hub", description="")
