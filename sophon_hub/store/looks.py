"""Administrators who look at private things of groups they are not in: noted while reading."""

from sqlalchemy.orm import Session

from sophon_hub.models import Dataset, Lab, ResearchGroup, ResearchProject, Visibility
from sophon_hub.policy.actor import Actor

Seen = ResearchGroup | ResearchProject | Lab | Dataset

NOTED = "sophon_looks"


def note_look(session: Session, actor: Actor, seen: Seen) -> None:
    """Remember, for as long as the session lasts, what only an administrator may see like this."""
    if not actor.is_admin or actor.is_guest:
        return
    holder = seen.project if isinstance(seen, Lab) else seen
    group_id = holder.id if isinstance(holder, ResearchGroup) else holder.group_id
    if holder.visibility is Visibility.PRIVATE and actor.role_in(group_id) is None:
        session.info.setdefault(NOTED, []).append(seen)


def noted_looks(session: Session) -> list[Seen]:
    """What was seen in this session, in this order."""
    return list(session.info.get(NOTED, ()))
