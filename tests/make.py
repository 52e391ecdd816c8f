"""Builders of rows, with every default in sight. They write rows, not events."""

from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from sophon_hub import names
from sophon_hub.models import (
    AccessMode,
    Dataset,
    DatasetKind,
    DatasetState,
    Delivery,
    DeliveryState,
    DeliveryVerb,
    HistoryState,
    HistoryTask,
    HistoryVerb,
    JoinRequest,
    Lab,
    LabState,
    Material,
    MaterialKind,
    MemberRole,
    Membership,
    MembershipSource,
    Person,
    PersonalLab,
    ResearchGroup,
    ResearchProject,
    Visibility,
)

T = TypeVar("T")

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def _add(session: Session, row: T) -> T:
    session.add(row)
    session.flush()
    return row


def person(
    session: Session,
    username: str = "ada",
    *,
    display_name: str | None = None,
    is_admin: bool = False,
) -> Person:
    row = Person(
        username=username,
        display_name=display_name or username.title(),
        is_admin=is_admin,
        created_at=LONG_AGO,
    )
    return _add(session, row)


def group(
    session: Session,
    slug: str = "optics",
    *,
    name: str | None = None,
    description: str = "",
    visibility: Visibility = Visibility.PUBLIC,
    access: AccessMode = AccessMode.MANUAL,
    deleted_at: datetime | None = None,
) -> ResearchGroup:
    row = ResearchGroup(
        slug=slug,
        name=name or slug.title(),
        description=description,
        visibility=visibility,
        access=access,
        created_at=LONG_AGO,
        deleted_at=deleted_at,
    )
    return _add(session, row)


def membership(
    session: Session,
    group: ResearchGroup,
    person: Person,
    role: MemberRole = MemberRole.MEMBER,
    *,
    expires_at: datetime | None = None,
    added_by: Person | None = None,
    source: MembershipSource = MembershipSource.PERSON,
) -> Membership:
    row = Membership(
        group_id=group.id,
        person_id=person.id,
        role=role,
        expires_at=expires_at,
        source=source,
        added_by_id=added_by.id if added_by else None,
        added_at=LONG_AGO,
    )
    return _add(session, row)


def request(
    session: Session, group: ResearchGroup, person: Person, *, message: str = ""
) -> JoinRequest:
    row = JoinRequest(group_id=group.id, person_id=person.id, message=message, created_at=LONG_AGO)
    return _add(session, row)


def project(
    session: Session,
    group: ResearchGroup,
    slug: str = "lens",
    *,
    name: str | None = None,
    description: str = "",
    visibility: Visibility = Visibility.PRIVATE,
    deleted_at: datetime | None = None,
) -> ResearchProject:
    assert visibility.openness <= group.visibility.openness
    row = ResearchProject(
        slug=slug,
        group=group,
        name=name or slug.title(),
        description=description,
        visibility=visibility,
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
        deleted_at=deleted_at,
    )
    return _add(session, row)


def lab(
    session: Session,
    project: ResearchProject,
    slug: str = "bench",
    *,
    name: str | None = None,
    image: str = "lab",
    internet: bool = True,
    cpu_limit: float | None = None,
    memory_limit: int | None = None,
    state: LabState = LabState.STOPPED,
    locked_by: Person | None = None,
    lock_reason: str = "",
    deleted_at: datetime | None = None,
) -> Lab:
    row = Lab(
        uid=names.new_uid(),
        project=project,
        slug=slug,
        name=name or slug.title(),
        image=image,
        internet=internet,
        cpu_limit=cpu_limit,
        memory_limit=memory_limit,
        state=state,
        locked_by=locked_by,
        lock_reason=lock_reason,
        created_at=LONG_AGO,
        deleted_at=deleted_at,
    )
    return _add(session, row)


def personal_lab(
    session: Session,
    person: Person,
    *,
    state: LabState = LabState.STOPPED,
    image: str | None = None,
    home_uid: str | None = None,
    disk_bytes: int | None = None,
    clean_up: bool = False,
) -> PersonalLab:
    row = PersonalLab(
        person=person,
        state=state,
        image=image,
        home_uid=home_uid,
        seeded=[],
        disk_bytes=disk_bytes,
        clean_up=clean_up,
    )
    return _add(session, row)


def dataset(
    session: Session,
    slug: str = "stars",
    *,
    group: ResearchGroup | None = None,
    name: str | None = None,
    visibility: Visibility = Visibility.INTERNAL,
    kind: DatasetKind = DatasetKind.DIRECTORY,
    location: str = "/srv/data/stars",
    lab_uid: str | None = None,
    state: DatasetState = DatasetState.READY,
    manifest: str | None = None,
    deleted_at: datetime | None = None,
) -> Dataset:
    row = Dataset(
        uid=names.new_uid(),
        slug=slug,
        group=group,
        name=name or slug.title(),
        visibility=visibility,
        kind=kind,
        location=location,
        lab_uid=lab_uid,
        state=state,
        manifest=manifest,
        created_at=LONG_AGO,
        deleted_at=deleted_at,
    )
    return _add(session, row)


FIRST_VERSION = f"{1_700_000_000_000}-{'a' * 16}"
SECOND_VERSION = f"{1_700_000_600_000}-{'b' * 16}"
OTHER_VERSION = f"{1_700_000_700_000}-{'c' * 16}"


def kept_version(number: str, path: str = "work/thesis.ipynb", **values: Any) -> dict[str, Any]:
    """A version as a look at a home finds it."""
    at = int(number.partition("-")[0])
    version = {"id": number, "path": path, "at": at, "editors": [], "reason": "open", "size": 400}
    return {**version, **values}


def history(session: Session, lab: Lab) -> HistoryTask:
    """Two versions of a notebook, the second one by Grace and somebody unknown, and another's."""
    editors = ["grace", "<b>gone</b>"]
    return history_task(
        session,
        lab,
        HistoryVerb.LOOK,
        result={
            "versions": [
                kept_version(OTHER_VERSION, "notes.ipynb"),
                kept_version(SECOND_VERSION, editors=editors, reason="interval"),
                kept_version(FIRST_VERSION),
            ]
        },
    )


def history_task(
    session: Session, lab: Lab, verb: HistoryVerb, version: str = "", since: str = "", **values: Any
) -> HistoryTask:
    """A task that is done."""
    done = {"state": HistoryState.DONE, "message": "", "by": "ada", "result": None}
    row = HistoryTask(
        lab_id=lab.id,
        verb=verb,
        version=version,
        since=since,
        asked_at=LONG_AGO,
        done_at=LONG_AGO,
        **{**done, **values},
    )
    return _add(session, row)


def material(
    session: Session,
    project: ResearchProject,
    *,
    kind: MaterialKind = MaterialKind.FOLDER,
    location: str = "course",
    lab_uid: str | None = None,
    uid: str | None = "5" * 32,
    state: DatasetState = DatasetState.READY,
    message: str = "",
    for_visitors: bool = False,
) -> Material:
    row = Material(
        project=project,
        kind=kind,
        location=location,
        lab_uid=lab_uid,
        uid=uid,
        next_uid=uid or names.new_uid(),
        version=1 if uid else 0,
        state=state,
        message=message,
        file_count=2 if uid else None,
        size_bytes=300 if uid else None,
        published_at=LONG_AGO if uid else None,
        for_visitors=for_visitors,
    )
    return _add(session, row)


def delivery(
    session: Session,
    project: ResearchProject,
    person: Person,
    *,
    state: DeliveryState = DeliveryState.DONE,
    verb: DeliveryVerb = DeliveryVerb.GET,
    message: str = "",
    version: int = 1,
    undo: bool = True,
    on_start: bool = False,
    **files: list[tuple[str, str]],
) -> Delivery:
    row = Delivery(
        project=project,
        person=person,
        on_start=on_start,
        state=state,
        verb=verb,
        message=message,
        version=version,
        report={
            "counts": {kind: len(pairs) for kind, pairs in files.items()},
            "files": {kind: [list(pair) for pair in pairs] for kind, pairs in files.items()},
            "undo": undo,
        },
        asked_at=LONG_AGO,
        done_at=LONG_AGO,
    )
    return _add(session, row)
