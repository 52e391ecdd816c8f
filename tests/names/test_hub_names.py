"""What slugs are called in the Hub and in Docker: never two things by one name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sophon_hub import names

slugs = st.from_regex(names.SLUG_PATTERN, fullmatch=True).map(
    lambda slug: names.make_slug(slug[: names.MAX_SLUG])
)
awkward = st.sampled_from(["people", "labs", "a-people", "a-labs", "accounts", "portal", "worker"])
group_slugs = slugs | awkward


@given(slugs)
def test_a_project_is_found_again_from_its_account(slug: str) -> None:
    assert names.project_of_account(names.account_name(slug)) == slug


@pytest.mark.parametrize("username", ["ada", "projects", "project", "Project-x", "tmp-project-x"])
def test_people_are_no_accounts_of_projects(username: str) -> None:
    assert names.project_of_account(username) is None


@given(slugs)
def test_nobody_can_sign_in_as_an_account_of_a_project(slug: str) -> None:
    assert names.is_reserved_username(names.account_name(slug))
    assert names.is_reserved_username(names.account_name(slug).upper())


@pytest.mark.parametrize(
    ("username", "reserved"),
    [("tmp-1", True), ("TMP-x", True), ("Project-", True), ("ada", False), ("myproject-1", False)],
)
def test_names_with_a_prefix_of_ours_are_reserved_in_any_case(
    username: str, reserved: bool
) -> None:
    assert names.is_reserved_username(username) == reserved


@given(group_slugs)
def test_a_group_is_found_again_from_both_its_hub_groups(slug: str) -> None:
    assert names.group_of_hub_group(names.people_group(slug)) == slug
    assert names.group_of_hub_group(names.accounts_group(slug)) == slug


@pytest.mark.parametrize("name", [names.ALL_ACCOUNTS_GROUP, "optics", "sophon--people", "sophon-a"])
def test_other_hub_groups_belong_to_no_group_of_ours(name: str) -> None:
    assert names.group_of_hub_group(name) is None


@given(group_slugs, slugs)
def test_the_group_of_a_lock_is_known_as_ours_and_as_no_research_groups(
    project: str, lab: str
) -> None:
    name = names.lock_group(project, lab)
    assert names.is_lock_group(name)
    assert names.group_of_hub_group(name) is None
    assert not names.is_lock_group(names.people_group(project))


def test_no_two_labs_share_the_group_of_their_locks() -> None:
    assert names.lock_group("a", "b-c") != names.lock_group("a-b", "c")


@given(st.lists(group_slugs, min_size=2, max_size=2, unique=True))
def test_different_groups_never_share_a_hub_group_or_role(pair: list[str]) -> None:
    ours, theirs = ({names.people_group(slug), names.accounts_group(slug)} for slug in pair)
    assert len(ours) == len(theirs) == 2
    assert not ours & theirs
    assert names.ALL_ACCOUNTS_GROUP not in ours | theirs
    assert names.hub_role(pair[0]) != names.hub_role(pair[1])


@pytest.mark.parametrize("slug", ["portal", "worker", "accounts", "hub"])
def test_no_group_can_take_the_hub_role_of_a_service(slug: str) -> None:
    """The worker's role, ``sophon-worker``, may make any account: a group must never hold it."""
    assert names.slug_problem(slug) is None or slug == "hub"
    assert names.hub_role(slug) != f"sophon-{slug}"
    assert names.hub_role(slug).startswith("sophon-group-")


def test_a_lab_is_entered_below_the_account_of_its_project() -> None:
    assert names.lab_path("lens", "bench") == "user/project-lens/bench/"
    entrance = names.workspace_path("lens", "bench", "ada@example.org")
    assert entrance == "user/project-lens/bench/lab/workspaces/ada%40example.org"


def test_volumes_and_containers_carry_the_uid_and_never_two_the_same() -> None:
    first, second = names.new_uid(), names.new_uid()
    assert first != second
    assert names.volume_name("sophon", first) == f"sophon-home-{first}"
    assert names.container_name("sophon", first) == f"sophon-lab-{first}"
