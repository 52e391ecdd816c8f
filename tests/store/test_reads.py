"""Point reads, filters and searches."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from sophon_hub.errors import Invalid, NotFound, Unauthenticated
from sophon_hub.models import AccessMode, LabState, MemberRole, Visibility
from sophon_hub.store import groups, instance, labs, launch, people, projects
from sophon_hub.store.paging import Paging
from tests import make
from tests.cast import Cast

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
ALL = Paging()
NO_SLUGS = ["", "\x00", "a\x00", "\ud800", "%", "_", "A", "x" * 500, "1' or '1'='1", "ö"]


def slugs_of_groups(
    session: Session, cast: Cast, name: str = "barbara", **filters: object
) -> list[str]:
    page = groups.list_groups(session, cast.actor(name), ALL, now=NOW, **filters)  # type: ignore[arg-type]
    return [item.group.slug for item in page.items]


def slugs_of_projects(
    session: Session, cast: Cast, name: str = "grace", **filters: object
) -> list[str]:
    page = projects.list_projects(session, cast.actor(name), ALL, **filters)  # type: ignore[arg-type]
    return [item.project.slug for item in page.items]


@pytest.mark.parametrize("slug", NO_SLUGS, ids=ascii)
def test_what_is_no_slug_is_not_found_and_breaks_nothing(
    session: Session, cast: Cast, slug: str
) -> None:
    root = cast.actor("root")
    with pytest.raises(NotFound):
        groups.get_group(session, root, slug)
    with pytest.raises(NotFound):
        groups.get_summary(session, root, slug, NOW)
    with pytest.raises(NotFound):
        projects.get_project(session, root, slug)
    with pytest.raises(NotFound):
        labs.get_lab(session, root, slug, "bench")
    with pytest.raises(NotFound):
        labs.get_lab(session, root, "lens", slug)
    assert slugs_of_projects(session, cast, "root", group=slug) == []


@pytest.mark.parametrize("username", ["", "\x00", "\ud800", "nobody", "ADA"], ids=ascii)
def test_what_is_no_username_is_nobody(session: Session, cast: Cast, username: str) -> None:
    assert people.find_person(session, username) is None


@pytest.mark.parametrize("q", ["ärz", "ÄRZ", "Ärzte", " ärzte ", "A\u0308rzte", "rzte für"])
def test_search_finds_letters_in_either_case_beyond_a_to_z(
    session: Session, cast: Cast, q: str
) -> None:
    make.group(session, "arzte", name="Ärzte für Übersee")
    make.project(session, cast.group, "arzte", name="Ärzte für Übersee")
    assert slugs_of_groups(session, cast, q=q) == ["arzte"]
    assert slugs_of_projects(session, cast, q=q) == ["arzte"]


@pytest.mark.parametrize("q", ["%", "_", "\\", "'", "100%", "\x00", "\ud800"], ids=ascii)
def test_search_takes_signs_as_they_are(session: Session, cast: Cast, q: str) -> None:
    assert slugs_of_groups(session, cast, q=q) == []
    if q == "100%":
        make.group(session, "percent", name="100% sure")
        make.group(session, "number", name="1000 sure")
        assert slugs_of_groups(session, cast, q=q) == ["percent"]


def test_search_finds_by_name_and_by_slug_and_blank_finds_all(session: Session, cast: Cast) -> None:
    make.group(session, "waves", name="Quantum")
    assert slugs_of_groups(session, cast, q="quant") == ["waves"]
    assert slugs_of_groups(session, cast, q="wav") == ["waves"]
    assert slugs_of_groups(session, cast, q="  ") == ["optics", "waves"]


def test_groups_are_filtered_by_access_and_by_belonging(session: Session, cast: Cast) -> None:
    make.group(session, "ask", access=AccessMode.REQUEST)
    assert slugs_of_groups(session, cast, access=AccessMode.REQUEST) == ["ask"]
    assert slugs_of_groups(session, cast, "grace", mine=True) == ["optics"]
    assert slugs_of_groups(session, cast, "barbara", mine=True) == []
    assert slugs_of_groups(session, cast, "guest", mine=True) == []


def test_projects_are_filtered_by_group_visibility_and_belonging(
    session: Session, cast: Cast
) -> None:
    other = make.group(session, "other")
    make.project(session, cast.group, "a", visibility=Visibility.PUBLIC)
    make.project(session, cast.group, "b", visibility=Visibility.PRIVATE)
    make.project(session, other, "c", visibility=Visibility.PUBLIC)
    make.project(session, other, "d", visibility=Visibility.PRIVATE)
    assert slugs_of_projects(session, cast) == ["a", "b", "c"]
    assert slugs_of_projects(session, cast, group="other") == ["c"]
    assert slugs_of_projects(session, cast, mine=True) == ["a", "b"]
    assert slugs_of_projects(session, cast, visibility=Visibility.PRIVATE) == ["b"]
    assert slugs_of_projects(session, cast, "guest", mine=True) == []
    assert slugs_of_projects(session, cast, "guest", visibility=Visibility.PRIVATE) == []


def test_the_group_filter_tells_nothing_about_groups_one_does_not_see(
    session: Session, cast: Cast
) -> None:
    hidden = make.group(session, "hidden", visibility=Visibility.PRIVATE)
    make.project(session, hidden, "secret")
    assert slugs_of_projects(session, cast, "barbara", group="hidden") == []
    assert slugs_of_projects(session, cast, "barbara", group="nothing") == []
    assert slugs_of_projects(session, cast, "root", group="hidden") == ["secret"]
    # not even if a project were more visible than its group, which must not be
    make.project(session, hidden, "slip").visibility = Visibility.PUBLIC
    session.flush()
    assert slugs_of_projects(session, cast, "barbara", group="hidden") == []


def test_members_are_counted_and_listed_while_their_membership_holds(
    session: Session, cast: Cast
) -> None:
    katherine = make.person(session, "katherine")
    make.membership(session, cast.group, katherine, expires_at=NOW + timedelta(seconds=1))
    ada = cast.actor("ada")

    def members(now: datetime) -> list[str]:
        page = groups.list_members(session, ada, cast.group, ALL, now)
        summary = groups.get_summary(session, ada, "optics", now)
        assert page.total == len(page.items) == summary.member_count
        return [row.person.username for row in page.items]

    assert members(NOW) == ["ada", "alan", "grace", "katherine"]
    assert members(NOW + timedelta(seconds=1)) == ["ada", "alan", "grace"]


def test_guests_get_the_number_of_members_and_not_their_names(session: Session, cast: Cast) -> None:
    guest = cast.actor("guest")
    assert groups.get_summary(session, guest, "optics", NOW).member_count == 3
    with pytest.raises(Unauthenticated):
        groups.list_members(session, guest, cast.group, ALL, NOW)
    page = groups.list_members(session, cast.actor("barbara"), cast.group, ALL, NOW)
    assert page.total == 3


def test_people_are_found_by_name_by_whoever_is_signed_in(session: Session, cast: Cast) -> None:
    make.person(session, "u1", display_name="Émilie du Châtelet")

    def search(name: str, q: str) -> list[str]:
        found = people.search_people(session, cast.actor(name), q, ALL)
        return [person.username for person in found.items]

    assert search("barbara", "ÉMILIE") == ["u1"]
    assert search("barbara", "ra") == ["barbara", "grace"]
    for q in ("", "a", " a "):
        with pytest.raises(Invalid, match="2 letters"):
            search("barbara", q)
    with pytest.raises(Unauthenticated):
        search("guest", "ada")


def test_an_actor_carries_the_memberships_that_hold_at_this_moment(
    session: Session, cast: Cast
) -> None:
    later = make.group(session, "later")
    make.membership(
        session, later, cast.people["grace"], MemberRole.OWNER, expires_at=NOW + timedelta(days=1)
    )

    def grace(now: datetime) -> dict[int, MemberRole]:
        actor = people.find_actor(session, "grace", is_admin=False, via="cli", now=now)
        assert actor
        assert actor.via == "cli"
        return {group_id: one.role for group_id, one in actor.memberships.items()}

    assert grace(NOW) == {cast.group.id: MemberRole.MEMBER, later.id: MemberRole.OWNER}
    assert grace(NOW + timedelta(days=1)) == {cast.group.id: MemberRole.MEMBER}


def test_somebody_the_portal_does_not_know_is_no_actor(session: Session, cast: Cast) -> None:
    assert people.find_actor(session, "nobody", is_admin=True, via="api", now=NOW) is None


def test_a_refreshed_actor_has_what_the_transaction_changed(session: Session, cast: Cast) -> None:
    barbara = cast.actor("barbara")
    make.membership(session, cast.group, cast.people["barbara"])
    again = people.refresh_actor(session, barbara)
    assert again.role_in(cast.group.id) is MemberRole.MEMBER
    assert (again.username, again.via, again.is_admin) == ("barbara", "api", False)


def test_own_groups_are_those_outside_the_trash(session: Session, cast: Cast) -> None:
    gone = make.group(session, "gone", deleted_at=NOW)
    make.membership(session, gone, cast.people["grace"])
    assert [group.slug for group in people.list_own_groups(session, cast.actor("grace"))] == [
        "optics"
    ]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("Ada L.", "Ada L."), (None, "old"), ("", "old"), (" \x00 ", "old"), ("x" * 300, "x" * 200)],
    ids=ascii,
)
def test_the_record_of_a_person_is_refreshed(
    session: Session, given: str | None, kept: str
) -> None:
    first = people.system_upsert_person(session, "ada", "old", is_admin=False, now=NOW)
    again = people.system_upsert_person(session, "ada", given, is_admin=True, now=NOW)
    assert again is first
    session.flush()
    assert (again.display_name, again.is_admin) == (kept, True)


def test_a_person_without_a_display_name_goes_by_the_user_name(session: Session) -> None:
    assert (
        people.system_upsert_person(session, "ada", None, is_admin=False, now=NOW).display_name
        == "ada"
    )


def test_active_labs_are_those_of_own_groups_that_are_not_stopped(
    session: Session, cast: Cast
) -> None:
    project = make.project(session, cast.group, visibility=Visibility.PUBLIC)
    other = make.project(session, make.group(session, "g"), "other", visibility=Visibility.PUBLIC)
    for state in LabState:
        make.lab(session, project, str(state), state=state)
        make.lab(session, other, str(state), state=state)
    make.lab(session, project, "gone", state=LabState.RUNNING, deleted_at=NOW)
    found = [lab.slug for lab in labs.list_active_labs(session, cast.actor("alan"))]
    assert found == ["failed", "running", "starting", "stopping"]
    assert list(labs.list_active_labs(session, cast.actor("barbara"))) == []
    assert list(labs.list_active_labs(session, cast.actor("guest"))) == []


def test_labs_with_servers_are_those_the_hub_has_or_will_have(session: Session, cast: Cast) -> None:
    project = make.project(session, cast.group)
    for state in LabState:
        make.lab(session, project, str(state), state=state)
    found = [lab.slug for lab in labs.system_labs_with_servers(session)]
    assert found == ["starting", "running", "stopping"]


def test_the_spawner_is_told_what_to_run_and_nothing_of_what_is_unknown(
    session: Session, cast: Cast
) -> None:
    lab = make.lab(session, make.project(session, cast.group), internet=False, cpu_limit=1.5)
    spec = launch.system_launch_spec(session, "project-lens", "bench")
    assert spec
    assert (spec.uid, spec.internet, spec.cpu_limit) == (lab.uid, False, 1.5)
    assert (spec.group_slug, spec.project_slug, spec.lab_slug) == ("optics", "lens", "bench")
    for username, server in [("ada", ""), ("project-lens", "x"), ("project-x", "bench")]:
        assert launch.system_launch_spec(session, username, server) is None


@pytest.mark.parametrize("where", ["lab", "project", "group"])
def test_the_spawner_is_told_what_is_in_the_trash(session: Session, cast: Cast, where: str) -> None:
    project = make.project(session, cast.group)
    lab = make.lab(session, project)
    spec = launch.system_launch_spec(session, "project-lens", "bench")
    assert spec
    assert not spec.deleted
    {"lab": lab, "project": project, "group": cast.group}[where].deleted_at = NOW
    session.flush()
    spec = launch.system_launch_spec(session, "project-lens", "bench")
    assert spec
    assert spec.deleted


def test_the_hub_has_a_name_before_anybody_gives_it_one(session: Session) -> None:
    assert instance.get_instance(session).name == "Sophon Hub"
    assert instance.ping(session)
