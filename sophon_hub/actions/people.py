"""Keeping the portal's record of people in step with the Hub's accounts."""

from sqlalchemy.orm import Session

from sophon_hub import clock
from sophon_hub.models import Person
from sophon_hub.store.people import system_upsert_person


def note_person(
    session: Session, username: str, display_name: str | None, *, is_admin: bool
) -> Person:
    """Make or refresh the record of somebody whom the Hub says exists. No event: nobody acted."""
    return system_upsert_person(
        session, username, display_name, is_admin=is_admin, now=clock.utcnow()
    )
