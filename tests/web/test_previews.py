"""What a change would hide, on pages and through the API, before it is made."""

import pytest

from sophon_hub.models import LabState, MemberRole, Visibility
from tests import make
from tests.web import world
from tests.web.test_pages import GROUP, PROJECT, soup_of

PUBLIC = {
    "groups": 1,
    "projects": 1,
    "datasets": 1,
    "people": 3,
    "guests": True,
    "running_labs": 1,
    "leaving": 0,
    "coming": 0,
    "sentence": "Hides 1 group, 1 project and 1 dataset from 3 people and everybody without an"
    " account. Stops 1 running lab.",
}


async def test_the_api_foretells_a_deletion_and_another_visibility(busy_site):
    with busy_site.rows() as session:
        world.running(world.corner(session, "public"))
    ada = busy_site.client("ada")
    assert (await ada.get("api/v1/groups/public/preview?change=delete")).json == PUBLIC
    found = (await ada.get("api/v1/projects/internal-work/preview?change=private")).json
    # Barbara alone is neither in the group nor an administrator
    assert found["sentence"] == "Hides 1 project from 1 person."
    found = (await ada.get("api/v1/datasets/public-data/preview?change=internal")).json
    assert (found["people"], found["guests"]) == (0, True)
    found = (await ada.get("api/v1/groups/private/members/alan/preview")).json
    assert found["sentence"] == "Hides 1 group, 1 project and 1 dataset from 1 person."
    assert (await ada.get("api/v1/groups/private/members/barbara/preview")).status == 404
    with busy_site.rows() as session:
        assert world.lab(session, "public-work", "bench").state is LabState.RUNNING


@pytest.mark.parametrize("query", ["", "?change=", "?change=remove"])
async def test_a_change_that_is_none_is_refused(busy_site, query):
    answer = await busy_site.client("ada").get(f"api/v1/groups/public/preview{query}")
    assert answer.status == 422
    assert [error["field"] for error in answer.json["errors"]] == ["change"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("groups/public/delete", "Hides 1 group, 1 project and 1 dataset from 3 people"),
        (f"{PROJECT}/delete", "Hides 1 project from 2 people."),
        ("groups/internal/edit", "Hides 1 group from 1 person."),
        ("projects/public-work/edit", "Hides 1 project from everybody without an account."),
        ("projects/public-work/edit", "Hides 1 project from 1 person and everybody"),
        ("datasets/internal-data/edit", "Hides 1 dataset from 1 person."),
        ("datasets/private-data", "Hides 1 dataset from 2 people. Running labs have it"),
        (f"{GROUP}/people", "Hides 1 group, 1 project and 1 dataset from 1 person."),
    ],
)
async def test_pages_say_what_a_change_hides(busy_site, path, said):
    page = soup_of(await busy_site.client("ada").get(path))
    assert said in " ".join(page.main.text.split())


async def test_the_api_foretells_a_move(busy_site):
    preview = "api/v1/projects/public-work/preview?change=move"
    ada = busy_site.client("ada")
    found = (await ada.get(f"{preview}&group=internal")).json
    assert (found["projects"], found["guests"], found["people"]) == (1, True, 0)
    assert found["sentence"] == "Hides 1 project from everybody without an account."
    for query in ("", "&group=", "&group=nothing", "&group=%ff"):
        refused = await ada.get(f"{preview}{query}")
        assert refused.status in (400, 422), query
    for other in ("groups/public", "datasets/public-data"):
        assert (await ada.get(f"api/v1/{other}/preview?change=move")).status == 422
    assert (await busy_site.client("grace").get(f"{preview}&group=internal")).status == 403
    assert (await busy_site.client("barbara").get(f"{preview}&group=internal")).status == 403


async def test_the_form_to_move_a_project_says_what_each_group_would_change_for_whom(busy_site):
    with busy_site.rows() as session:
        world.running(world.corner(session, "public"))
        new = make.group(session, "lasers", visibility=Visibility.PRIVATE)
        ada, barbara = (world.corner(session, "public").person(n) for n in ("ada", "barbara"))
        make.membership(session, new, ada, MemberRole.OWNER)
        make.membership(session, new, barbara)
    page = soup_of(await busy_site.client("ada").get("projects/public-work/edit"))
    choice = page.select_one("#move input[value=lasers]").parent.text
    assert "2 people lose access to its labs. 1 person gets access to its labs." in choice
    assert "Hides 1 project from 2 people and everybody without an account." in choice
    assert "Stop the labs of the project before moving it: Bench." in page.select_one("#move").text
    with busy_site.rows() as session:
        world.corner(session, "public").lab.state = LabState.STOPPED
    page = soup_of(await busy_site.client("ada").get("projects/public-work/edit"))
    assert "Stop the labs" not in page.select_one("#move").text


async def test_a_form_says_nothing_of_what_hides_nothing(busy_site):
    for path in (f"{GROUP}/edit", "groups/new", f"{PROJECT}/edit"):
        assert "Hides" not in soup_of(await busy_site.client("ada").get(path)).main.text
    assert "Hides" not in (await busy_site.client("grace").get(f"{GROUP}/people")).text
