"""Reads of personal labs: everybody sees their own and no other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, contains_eager

from sophon_hub import clock
from sophon_hub.models import LabState, Person, PersonalLab
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import require_person
from sophon_hub.policy.visibility import visible_datasets
from sophon_hub.store.launch import DatasetFiles, system_mountable
from sophon_hub.store.people import find_actor, system_upsert_person


def find_own(session: Session, actor: Actor) -> PersonalLab:
    """The actor's personal lab; who never asked for it has a stopped one with the defaults.

    Raises:
        Unauthenticated: the actor is a guest.
    """
    person_id = require_person(actor)
    found = session.scalar(select(PersonalLab).where(PersonalLab.person_id == person_id))
    return found or _new(person_id)


def lock_own(session: Session, actor: Actor) -> PersonalLab:
    """The actor's personal lab for this transaction, made when it is missing.

    Raises:
        Unauthenticated: the actor is a guest.
    """
    return _lock(session, require_person(actor))


def _lock(session: Session, person_id: int) -> PersonalLab:
    query = select(PersonalLab).where(PersonalLab.person_id == person_id).with_for_update()
    found = session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        found = _new(person_id)
        session.add(found)
        session.flush()
    return found


def _new(person_id: int) -> PersonalLab:
    return PersonalLab(
        person_id=person_id,
        state=LabState.STOPPED,
        progress=0,
        message="",
        seeded=[],
        wanted=[],
        clean_up=False,
        filled_disk=False,
        people=[],
        busy=False,
        stop_reason="",
        dataset_uids=[],
    )


@dataclass(frozen=True)
class PersonalSpec:
    """Everything about a personal lab that decides how its server runs.

    ``image`` is a name from the setting `images`, None for the default. ``seeded`` are the
    folders its home was given already.
    """

    image: str | None
    disk_bytes: int | None
    clean_up: bool
    seeded: frozenset[str]
    datasets: Mapping[str, DatasetFiles] = field(default_factory=dict)
    filled_disk: bool = False


def system_personal_spec(session: Session, username: str, home_uid: str) -> PersonalSpec:
    """What the spawner needs to run somebody's personal lab, whose home has this id.

    Makes the records that are missing: people may start their lab at the Hub and never see the
    portal. A new account under an old name has a new home, and inherits nothing.
    """
    now = clock.utcnow()
    person = session.scalar(select(Person).where(Person.username == username))
    if person is None:
        person = system_upsert_person(session, username, None, is_admin=False, now=now)
    lab = _lock(session, person.id)
    if lab.home_uid != home_uid:
        if lab.home_uid is not None:
            lab.image = lab.disk_bytes = lab.trash_bytes = lab.disk_measured_at = None
            lab.clean_up, lab.filled_disk = False, False
            lab.seeded, lab.wanted, lab.dataset_uids = [], [], []
        lab.home_uid = home_uid
    actor = find_actor(session, username, is_admin=person.is_admin, via="system", now=now)
    datasets = system_mountable(session, lab.dataset_uids, visible_datasets(actor or Actor()))
    return PersonalSpec(
        lab.image,
        lab.disk_bytes,
        lab.clean_up,
        frozenset(lab.seeded),
        datasets,
        lab.filled_disk,
    )


def system_note_seeded(session: Session, home_uid: str, folder: str) -> None:
    """Remember that a folder of an image was copied into this home."""
    query = select(PersonalLab).where(PersonalLab.home_uid == home_uid).with_for_update()
    for lab in session.scalars(query):
        if folder not in lab.seeded:
            lab.seeded = [*lab.seeded, folder]


def system_note_copied(session: Session, lab_id: int, files: Collection[str]) -> None:
    """These files were copied into the home, or cannot be: they are not wanted any more."""
    lab = session.get(PersonalLab, lab_id, with_for_update=True)
    if lab is not None:
        lab.wanted = [name for name in lab.wanted if name not in files]


def system_personal_lab(session: Session, lab_id: int) -> PersonalLab | None:
    """The personal lab with its person loaded, whoever asks; for the worker."""
    return session.scalar(_with_person().where(PersonalLab.id == lab_id))


def system_personal_labs_with_servers(session: Session) -> Sequence[PersonalLab]:
    """Personal labs that have, or should have, a server at the Hub."""
    active = [state for state in LabState if state.has_server]
    query = _with_person().where(PersonalLab.state.in_(active)).order_by(PersonalLab.id)
    return session.scalars(query).all()


def system_personal_labs_of(session: Session, usernames: Collection[str]) -> dict[str, PersonalLab]:
    """The personal labs of these people, by user name; who has none is left out."""
    query = _with_person().where(Person.username.in_(sorted(usernames)))
    return {lab.person.username: lab for lab in session.scalars(query)}


def _with_person() -> Select[PersonalLab]:
    return select(PersonalLab).join(PersonalLab.person).options(contains_eager(PersonalLab.person))
