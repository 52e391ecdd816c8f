"""Trying public projects: what is offered to visitors, and what is brought into whose lab."""

from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from sophon_hub.actions.material_forms import MaterialChanges
from sophon_hub.actions.materials import edit_material, set_material
from sophon_hub.actions.temporary import (
    Turn,
    ask_for_lab,
    keep_waiting,
    leave_lab,
    note_brought,
)
from sophon_hub.errors import Conflict, Forbidden, NotFound
from sophon_hub.models import Material, ResearchProject, TemporaryLab, Visibility
from sophon_hub.policy.trials import can_be_tried
from sophon_hub.settings import Sophon
from sophon_hub.store import temporary
from sophon_hub.store.trials import Wish, system_wishes
from tests import make
from tests.actions.test_materials import source
from tests.actions.test_temporary import GUEST, OFF, ON, digest, fill
from tests.cast import Cast
from tests.database import actions, events

UID = "5" * 32
OFFER, WITHHOLD = MaterialChanges(for_visitors=True), MaterialChanges(for_visitors=False)
SMALL = Sophon(temporary_labs=True, temporary_material_size="299")
FEW = Sophon(temporary_labs=True, temporary_material_files=1)


@pytest.fixture
def project(session: Session, cast: Cast) -> ResearchProject:
    """A public project with a lab."""
    project = make.project(session, cast.group, "optics", visibility=Visibility.PUBLIC)
    make.lab(session, project)
    return project


@pytest.fixture
def material(session: Session, project: ResearchProject) -> Material:
    """Material of 2 files and 300 bytes that is offered to visitors."""
    return make.material(session, project, uid=UID, for_visitors=True)


def ask(session: Session, project: str = "optics", settings: Sophon = ON) -> Turn:
    return ask_for_lab(session, GUEST, digest("me"), settings, project=project)


def mine(session: Session) -> TemporaryLab:
    lab = temporary.find_lab_of_visit(session, digest("me"))
    assert lab is not None
    return lab


# offering


def test_material_is_offered_to_visitors_and_withheld_again(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    material = make.material(session, project, uid=UID)
    assert not material.for_visitors
    for form in (OFFER, WITHHOLD):
        edit_material(session, cast.actor("grace"), project, form, ON)
        assert material.for_visitors is can_be_tried(material, project, ON) is form.for_visitors
        event = events(session)[-1]
        assert (event.action, event.subject) == ("material:visitors", "optics")
        assert event.detail == {"before": not form.for_visitors, "after": form.for_visitors}


def test_only_who_may_edit_the_project_decides_about_visitors(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    material = make.material(session, project, uid=UID)
    with pytest.raises(Forbidden):
        edit_material(session, cast.actor("alan"), project, OFFER, ON)
    assert not material.for_visitors


def test_what_a_project_does_not_have_is_not_offered(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    with pytest.raises(NotFound):
        edit_material(session, cast.actor("grace"), project, OFFER, ON)


@pytest.mark.parametrize(
    ("visibility", "uid", "settings", "said"),
    [
        (Visibility.INTERNAL, UID, ON, "public projects only; this one is internal"),
        (Visibility.PRIVATE, UID, ON, "public projects only; this one is private"),
        (Visibility.PUBLIC, None, ON, "not published yet"),
        (Visibility.PUBLIC, UID, OFF, "no temporary labs"),
        (Visibility.PUBLIC, UID, SMALL, "Version 1 holds more than 299"),
        (Visibility.PUBLIC, UID, FEW, "Version 1 has 2 files, and visitors can be given 1"),
    ],
)
def test_what_cannot_be_tried_is_not_offered_and_a_sentence_says_why(
    session: Session,
    cast: Cast,
    project: ResearchProject,
    visibility: Visibility,
    uid: str | None,
    settings: Sophon,
    said: str,
) -> None:
    material = make.material(session, project, uid=uid)
    project.visibility = visibility
    with pytest.raises(Conflict, match=said):
        edit_material(session, cast.actor("grace"), project, OFFER, settings)
    assert not material.for_visitors
    # whoever wants to end it can do so in any case
    edit_material(session, cast.actor("grace"), project, WITHHOLD, settings)


def test_another_source_is_offered_as_the_one_before_was(
    session: Session, cast: Cast, project: ResearchProject, material: Material
) -> None:
    assert set_material(session, cast.actor("grace"), project, source()) is material
    assert material.for_visitors


# trying


def test_who_tries_a_project_gets_a_lab_that_is_being_filled(
    session: Session, project: ResearchProject, material: Material
) -> None:
    fill(session)
    turn = ask(session)
    assert (turn.lab, turn.is_filling) == (mine(session).name, True)
    assert system_wishes(session, ON) == [Wish(mine(session).name, project.id, UID, "optics")]
    note_brought(session, mine(session).name, project.id, folder="optics")
    assert ask(session) == Turn(lab=turn.lab)
    assert system_wishes(session, ON) == []
    assert actions(session) == ["temporary:claim"]


def test_who_waits_gets_the_lab_filled_when_it_is_there(
    session: Session, project: ResearchProject, material: Material
) -> None:
    assert ask(session) == Turn(place=1)
    # without a wish of its own the one of before stays
    assert ask(session, project="") == Turn(place=1)
    fill(session)
    turn = keep_waiting(session, GUEST, digest("me"), ON)
    assert turn == Turn(lab=mine(session).name, is_filling=True)
    assert [wish.project_id for wish in system_wishes(session, ON)] == [project.id]


def test_who_has_a_lab_already_has_it_filled(
    session: Session, cast: Cast, project: ResearchProject, material: Material
) -> None:
    fill(session)
    plain = ask(session, project="")
    assert not plain.is_filling
    assert ask(session) == Turn(lab=plain.lab, is_filling=True)
    note_brought(session, mine(session).name, project.id, folder="optics")
    other = make.project(session, cast.group, "waves", visibility=Visibility.PUBLIC)
    make.material(session, other, uid="6" * 32, for_visitors=True)
    assert ask(session, "waves") == Turn(lab=plain.lab, is_filling=True)
    # news of the wish of before are none of this one's
    note_brought(session, mine(session).name, project.id, folder="optics")
    assert mine(session).is_filling
    assert ask(session, project="").is_filling


def test_a_copy_that_failed_costs_nobody_the_lab_and_can_be_asked_for_again(
    session: Session, project: ResearchProject, material: Material
) -> None:
    fill(session)
    name = ask(session).lab
    note_brought(session, str(name), project.id, trouble="No room.")
    assert keep_waiting(session, GUEST, digest("me"), ON) == Turn(lab=name)
    assert system_wishes(session, ON) == []
    assert ask(session) == Turn(lab=name, is_filling=True)
    assert mine(session).bring_trouble == ""


@pytest.mark.parametrize(
    "change",
    [
        {"visibility": Visibility.INTERNAL},
        {"visibility": Visibility.PRIVATE},
        {"deleted_at": make.LONG_AGO},
    ],
)
def test_a_project_that_visitors_do_not_see_is_not_there(
    session: Session, project: ResearchProject, material: Material, change: dict[str, Any]
) -> None:
    fill(session)
    for name, value in change.items():
        setattr(project, name, value)
    session.flush()
    with pytest.raises(NotFound):
        ask(session)
    assert temporary.find_lab_of_visit(session, digest("me")) is None
    assert not can_be_tried(material, project, ON)


@pytest.mark.parametrize("settings", [SMALL, FEW])
def test_what_has_become_too_large_is_not_there_for_visitors(
    session: Session, project: ResearchProject, material: Material, settings: Sophon
) -> None:
    fill(session)
    with pytest.raises(NotFound):
        ask(session, settings=settings)
    assert ask(session)


def test_what_is_not_offered_is_not_there(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    fill(session)
    for slug in ("optics", "nothing", "No slug"):
        with pytest.raises(NotFound):
            ask(session, slug)
    make.material(session, project, uid=UID)
    with pytest.raises(NotFound):
        ask(session)
    assert not can_be_tried(None, project, ON)


@pytest.mark.parametrize("how", ["withheld", "hidden", "removed"])
def test_what_is_withdrawn_before_it_was_copied_is_not_copied(
    session: Session, project: ResearchProject, material: Material, how: str
) -> None:
    fill(session)
    lab = str(ask(session).lab)
    if how == "withheld":
        material.for_visitors = False
    elif how == "hidden":
        project.visibility = Visibility.PRIVATE
    else:
        session.execute(delete(Material))
    session.flush()
    assert system_wishes(session, ON) == [Wish(lab, project.id)]


def test_a_visit_that_ended_wants_nothing_any_more(
    session: Session, project: ResearchProject, material: Material
) -> None:
    fill(session)
    name = str(ask(session).lab)
    leave_lab(session, GUEST, digest("me"))
    assert system_wishes(session, ON) == []
    note_brought(session, name, project.id, trouble="Too late.")
    note_brought(session, "tmp-gone", project.id, folder="optics")
    assert session.get(TemporaryLab, "tmp-gone") is None


def test_a_project_that_is_removed_for_good_leaves_its_visitors_their_labs(
    session: Session, project: ResearchProject, material: Material
) -> None:
    fill(session)
    name = ask(session).lab
    session.execute(delete(Material))
    session.execute(delete(ResearchProject).where(ResearchProject.id == project.id))
    session.expire_all()
    assert mine(session).wish_id is None
    assert keep_waiting(session, GUEST, digest("me"), ON) == Turn(lab=name)
