"""Who has come into a lab, put on record: also where nobody has pressed *Open* in the portal.

The lab itself says so, and people can make a lab lie; so the event says that it comes from there.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from sophon_hub import audit, clock
from sophon_hub.models import Lab
from sophon_hub.policy.actor import Actor
from sophon_hub.store import events, labs, people

SAME_STAY = timedelta(minutes=10)
"""Who was on record as coming in no longer ago than this has not come anew.

That is a page that was loaded again, a connection that was lost, or *Open* in the portal; and no
lab fills the trail by saying that people come and go.
"""


def note(session: Session, lab_id: int, came: Iterable[Mapping[str, Any]]) -> None:
    """Write down who has come, each as `models.Lab.people` has them."""
    lab = labs.system_lab(session, lab_id)
    if lab is None:
        return
    for one in came:
        if not _is_new(session, lab, one["username"]):
            continue
        person = people.find_person(session, one["username"])
        if person is not None:
            actor = Actor(person.id, person.username, person.display_name, via="lab")
            mode = "watch" if one["watching"] else "edit"
            audit.record(session, actor, events.ENTER, lab, mode=mode)


def _is_new(session: Session, lab: Lab, username: str) -> bool:
    entered_at = events.system_last_entry(session, lab, username)
    return entered_at is None or entered_at < clock.utcnow() - SAME_STAY
