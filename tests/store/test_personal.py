"""What the spawner and the worker read and write of personal labs."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from sophon_hub.clock import utcnow
from sophon_hub.models import Lab, LabState, PersonalLab
from sophon_hub.store import personal, servers
from sophon_hub.store.people import find_person
from tests import make
from tests.cast import Cast


def test_who_starts_a_lab_without_knowing_the_portal_gets_a_record(session: Session) -> None:
    spec = personal.system_personal_spec(session, "zoe", "a" * 32)
    assert spec == personal.PersonalSpec(None, None, False, frozenset())
    zoe = find_person(session, "zoe")
    assert zoe
    assert not zoe.is_admin


def test_what_the_home_was_given_is_remembered(session: Session, cast: Cast) -> None:
    make.personal_lab(session, cast.people["grace"], home_uid="a" * 32, image="geo")
    personal.system_note_seeded(session, "a" * 32, "/opt/lessons")
    personal.system_note_seeded(session, "a" * 32, "/opt/lessons")
    spec = personal.system_personal_spec(session, "grace", "a" * 32)
    assert spec == personal.PersonalSpec("geo", None, False, frozenset({"/opt/lessons"}))


def test_a_new_account_under_an_old_name_inherits_nothing(session: Session, cast: Cast) -> None:
    lab = make.personal_lab(
        session,
        cast.people["grace"],
        home_uid="a" * 32,
        image="geo",
        disk_bytes=7,
        clean_up=True,
    )
    personal.system_note_seeded(session, "a" * 32, "/opt/lessons")
    spec = personal.system_personal_spec(session, "grace", "b" * 32)
    assert spec == personal.PersonalSpec(None, None, False, frozenset())
    assert lab.home_uid == "b" * 32


def test_only_running_labs_are_measured_again_when_it_is_time(session: Session, cast: Cast) -> None:
    now = utcnow()
    project = make.project(session, cast.group)
    running = make.lab(session, project, "running", state=LabState.RUNNING)
    make.lab(session, project, "stopped")
    own = make.personal_lab(session, cast.people["grace"], state=LabState.RUNNING)

    def due(after: timedelta) -> tuple[list[int], list[int]]:
        kinds: tuple[servers.Kind, ...] = (Lab, PersonalLab)
        found = [list(servers.system_unmeasured(session, kind, now + after)) for kind in kinds]
        return found[0], found[1]

    assert due(timedelta()) == ([running.id], [own.id])
    servers.system_set_usage(session, Lab, running.id, (1, 0), now)
    servers.system_set_usage(session, PersonalLab, own.id, None, now)
    assert due(timedelta()) == ([], [])
    assert due(timedelta(seconds=1)) == ([running.id], [own.id])


def test_what_could_not_be_measured_keeps_what_was_known(session: Session, cast: Cast) -> None:
    lab = make.personal_lab(session, cast.people["grace"], disk_bytes=7)
    servers.system_set_usage(session, PersonalLab, lab.id, None, utcnow())
    session.refresh(lab)
    assert lab.disk_bytes == 7
    assert lab.disk_measured_at


@pytest.mark.parametrize("home_uid", ["a" * 32, None])
def test_a_lab_that_was_never_started_has_no_home(
    session: Session, cast: Cast, home_uid: str | None
) -> None:
    lab = make.personal_lab(session, cast.people["grace"], home_uid=home_uid)
    wanted = servers.Home(home_uid, None) if home_uid else None
    assert servers.system_home(session, PersonalLab, lab.id) == wanted
    assert servers.system_home(session, PersonalLab, lab.id + 1) is None
