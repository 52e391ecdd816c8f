"""The page that says why somebody may do something in a project, or not."""

from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup

from sophon_hub.models import MemberRole
from sophon_hub.pages.explanations import ASKED
from sophon_hub.policy.permissions import DATASET_PERMISSIONS, Permission
from tests import make
from tests.web import world
from tests.web.conftest import Answer, Site
from tests.web.test_pages import client_of, soup_of, without_random_words

WORK = "projects/public-work"
PAGE = f"{WORK}/explain"
STATES = [
    world.as_it_is,
    world.locked_by_grace,
    world.lab_in_trash,
    world.project_in_trash,
    world.group_in_trash,
]


def ask(permission: str, username: str = "", lab: str = "", *, page: str = PAGE) -> str:
    return f"{page}?" + urlencode({"permission": permission, "username": username, "lab": lab})


def said(answer: Answer) -> str:
    """The answer on the page."""
    assert answer.status == 200, answer.text
    return " ".join(soup_of(answer).select_one("#answer").text.split())


def field(page: BeautifulSoup, name: str) -> str:
    """What is in a field of the form."""
    one = page.select_one(f"form [name={name}]")
    if one.name != "select":
        return str(one["value"])
    return str(one.select_one("option[selected]")["value"])


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("lab", ["", "bench"])
async def test_the_page_answers_as_the_api_and_in_words(busy_site: Site, state, lab):
    with busy_site.rows() as session:
        state(world.corner(session, "public"))
    seen = set()
    for asker, name in [("ada", "ada"), ("grace", ""), ("root", "alan"), ("root", "barbara")]:
        client = busy_site.client(asker)
        for permission in ASKED:
            path = ask(permission, name, lab)
            told, page = await client.get(f"api/v1/{path}"), await client.get(path)
            assert page.status == told.status, path
            if told.status == 200:
                seen.add(told.json["allowed"])
                words = said(page)
                assert words.startswith("Yes:" if told.json["allowed"] else "No:"), path
                assert "at least" not in words
    assert seen == {True, False}


def test_all_is_asked_but_what_is_about_a_dataset():
    assert set(ASKED) == set(Permission) - set(DATASET_PERMISSIONS)


@pytest.mark.parametrize(
    ("name", "permission", "answer", "why"),
    [
        ("grace", "lab:open", "Yes: Grace may open a lab", "Grace is a member of Public."),
        ("alan", "lab:open", "No: Alan may not open a lab", "Members and owners of the group may"),
        ("alan", "lab:watch", "Yes: Alan may watch a lab", "Everybody who belongs to the group"),
        ("grace", "project:delete", "No: Grace may not delete", "Only owners of the group may"),
        ("ada", "group:people", "Yes: you may decide", "You are an owner of Public."),
        ("root", "lab:delete", "Yes: Root may delete", "Root is an administrator of the hub"),
        ("barbara", "lab:watch", "No: Barbara may not", "Barbara does not belong to Public."),
        ("barbara", "project:see", "Yes: Barbara may see the project", "The project is public."),
        ("alan", "group:see", "Yes: Alan may see the group", "anyone, also without an account."),
        ("grace", "lab:unlock", "No: Grace may not unlock", "Whoever locked a lab and owners"),
    ],
)
async def test_owners_read_rule_and_reason_in_plain_words(
    busy_site: Site, name: str, permission: str, answer: str, why: str
):
    words = said(await busy_site.client("ada").get(ask(permission, name)))
    assert words.startswith(answer)
    assert why in words


async def test_members_read_about_themselves_and_are_not_asked_for_a_name(busy_site: Site):
    for name, other, asked in (("grace", "I", False), ("ada", "somebody", True)):
        page = soup_of(await busy_site.client(name).get(PAGE))
        assert " ".join(page.h1.text.split()) == f"Why can {other} …?"
        assert bool(page.select("form [name=username][list]")) == asked
        assert "Nothing is asked yet" in page.main.text
        assert field(page, "permission") == "lab:open"
    words = said(await busy_site.client("grace").get(f"{PAGE}?permission=project:edit"))
    assert words.startswith("Yes: you may change the project's name")
    assert "You are a member of Public." in words


async def test_owners_ask_about_anyone_and_others_about_themselves(busy_site: Site):
    busy_site.hub.accounts.add(world.HUB_ONLY)
    for who, username, status in (
        ("ada", "grace", 200),
        ("ada", world.HUB_ONLY, 200),
        ("ada", "nobody", 422),
        ("root", "grace", 200),
        ("grace", "grace", 200),
        ("grace", "ada", 403),
        ("grace", "nobody", 403),
        ("alan", "ada", 403),
        ("barbara", "barbara", 403),
        ("barbara", "", 403),
        ("guest", "ada", 302),
        ("guest", "", 302),
    ):
        answer = await client_of(busy_site, who).get(ask("lab:open", username))
        assert answer.status == status, (who, username)
    for who, status in (("alan", 200), ("barbara", 403), ("guest", 302)):
        assert (await client_of(busy_site, who).get(PAGE)).status == status


async def test_the_end_of_a_membership_is_the_end_of_what_it_permits(
    busy_site: Site, stopped_clock
):
    with busy_site.rows() as session:
        corner = world.corner(session, "public")
        end = stopped_clock.now.replace(year=2028)
        make.membership(
            session, corner.group, corner.person("barbara"), MemberRole.VIEWER, expires_at=end
        )
    words = said(await busy_site.client("ada").get(ask("lab:watch", "barbara")))
    assert "Membership until 2028-03-01" in words
    assert "Membership until" not in said(await busy_site.client("ada").get(ask("lab:watch")))


async def test_the_lock_of_a_lab_is_in_the_answer(busy_site: Site):
    ada, grace = busy_site.client("ada"), busy_site.client("grace")
    assert "Yes: you may open" in said(await ada.get(ask("lab:open", lab="bench")))
    await grace.post(f"api/v1/{WORK}/labs/bench/lock", {"reason": "An exam"})
    refused = said(await ada.get(ask("lab:open", lab="bench")))
    assert refused.startswith("No: you may not open a lab")
    assert "In a locked lab nobody works but who locked it." in refused
    assert "This lab is locked by Grace: An exam" in refused
    waits = said(await ada.get(ask("lab:start", lab="bench")))
    assert waits.startswith("Yes: you may start a lab")
    assert "Not until it is unlocked. This lab is locked by Grace" in waits
    own = said(await grace.get(ask("lab:unlock", lab="bench")))
    assert own.startswith("Yes: you may unlock a lab")
    assert "You locked it." in own
    assert "An exam" not in said(await ada.get(ask("lab:watch", lab="bench")))
    assert "choose a lab" in said(await ada.get(ask("lab:open")))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"username": "<b>no</b>"}, "There is no account “<b>no</b>” at this hub."),
        ({"lab": "nothing"}, "There is no lab “nothing” in this project."),
        ({"permission": "lab:fly"}, "Give one of: group:see, "),
        ({"permission": "dataset:edit"}, "Give one of: group:see, "),
    ],
)
async def test_a_question_without_answer_comes_back_as_it_was_typed(
    busy_site: Site, wrong: dict[str, str], sentence: str
):
    typed = {"permission": "lab:lock", "username": "grace", "lab": "bench"} | wrong
    answer = await busy_site.client("ada").get(f"{PAGE}?{urlencode(typed)}")
    page, [name] = soup_of(answer), wrong
    assert answer.status == 422
    assert page.select_one(f"#{name}-error").text.startswith(sentence)
    assert page.select_one(f"[name={name}]")["aria-invalid"] == "true"
    assert not page.select("#answer, .empty, b")
    if name == "permission":
        del typed[name]  # what is not in the list cannot be chosen in it
    assert {one: field(page, one) for one in typed} == typed


@pytest.mark.parametrize("name", ["guest", "barbara"])
async def test_a_question_about_a_hidden_project_is_one_about_none(busy_site: Site, name: str):
    client = client_of(busy_site, name)
    await client.get("")
    for question in (("lab:open",), ("lab:open", "ada"), ("lab:fly", "nobody", "bench")):
        hidden, missing = [
            await client.get(ask(*question, page=f"projects/{slug}-work/explain"))
            for slug in ("private", "pr1vate")
        ]
        assert (hidden.status, missing.status) == (404, 404)
        told = without_random_words(missing).replace("pr1vate", "private")
        assert without_random_words(hidden) == told
    shown = await busy_site.client("alan").get(
        ask("lab:open", page="projects/private-work/explain")
    )
    assert said(shown).startswith("No:")


async def test_pages_of_projects_and_labs_lead_to_the_question(busy_site: Site):
    for name, text in (
        ("guest", None),
        ("barbara", None),
        ("alan", "Why can I …?"),
        ("grace", "Why can I …?"),
        ("ada", "Why can somebody …?"),
        ("root", "Why can somebody …?"),
    ):
        client = client_of(busy_site, name)
        for path, question in ((WORK, ""), (f"{WORK}/labs/bench", "?lab=bench")):
            links = soup_of(await client.get(path)).select("main a[href*='/explain']")
            assert [link.text.strip() for link in links] == ([text] if text else [])
            for link in links:
                assert str(link["href"]).endswith(f"{PAGE}{question}")
    page = soup_of(await busy_site.client("grace").get(f"{PAGE}?lab=bench"))
    assert field(page, "lab") == "bench"
