"""Forms: what is wrong is said at the field, what was typed stays, and texts stay texts."""

import pytest

from sophon_hub.actions.forms import NewLab
from sophon_hub.amounts import parse_bytes
from sophon_hub.pages import words
from sophon_hub.pages.fields import read_form
from tests.web import world
from tests.web.test_pages import GROUP, LAB, PROJECT, client_of, landed, send, soup_of

BAD = '"></title></textarea><script>alert(1)</script>'

WRONG = [
    ("groups/new", {"name": "", "slug": "-x-"}, {"name", "slug"}),
    ("groups/new", {"name": "x" * 201}, {"name"}),
    ("groups/new", {"name": "a\x07b"}, {"name"}),
    ("groups/new", {"name": "Fine", "slug": "admin"}, {"slug"}),
    ("groups/new", {"name": "Fine", "visibility": "sideways"}, {"visibility"}),
    (f"{GROUP}/edit", {"name": " ", "description": "y" * 70000}, {"name", "description"}),
    ("projects/new", {"group": "private", "name": "", "visibility": "private"}, {"name"}),
    ("projects/new", {"group": "private", "name": "x", "visibility": "public"}, {"visibility"}),
    (f"{PROJECT}/edit", {"name": ""}, {"name"}),
    (f"{PROJECT}/labs/new", {"name": "x", "slug": "1x"}, {"slug"}),
    (
        f"{PROJECT}/labs/new",
        {"name": "", "cpu_limit": "many", "memory_limit": "2 bananas"},
        {"name", "cpu_limit", "memory_limit"},
    ),
    (f"{PROJECT}/labs/new", {"name": "x", "memory_limit": "999T"}, {"memory_limit"}),
    (f"{PROJECT}/labs/new", {"name": "x", "cpu_limit": "nan"}, {"cpu_limit"}),
    (f"{LAB}/edit", {"name": "x", "image": "../etc", "internet": "true"}, {"image"}),
    (f"{LAB}/edit", {"name": "x", "image": "lab", "internet": "maybe"}, {"internet"}),
    (f"{GROUP}/people", {"action": "add", "username": "", "role": "member"}, {"username"}),
    (f"{GROUP}/people", {"action": "add", "username": "nobody", "role": "member"}, {"username"}),
    (f"{GROUP}/people", {"action": "add", "username": "barbara", "role": "king"}, {"role"}),
    (
        f"{GROUP}/people",
        {"action": "add", "username": "barbara", "role": "member", "expires_at": "31.1.2031"},
        {"expires_at"},
    ),
    (
        f"{GROUP}/people",
        {"action": "add", "username": "barbara", "role": "member", "expires_at": "2001-01-01"},
        {"expires_at"},
    ),
    (LAB, {"action": "lock", "reason": "x" * 1001}, {"reason"}),
]


@pytest.mark.parametrize(("path", "fields", "wrong"), WRONG)
async def test_a_form_comes_back_with_what_was_typed(busy_site, path, fields, wrong):
    before = busy_site.count_events()
    answer = await send(busy_site.client("ada"), path, **fields)
    assert answer.status == 422, answer.text
    page = soup_of(answer)
    for name in wrong:
        error = page.select_one(f"#{name}-error")
        assert error is not None, name
        assert error.text.strip(), name
        described = page.select_one(f"[aria-describedby~={name}-error]")
        assert described is not None, name
        if described.name != "fieldset":
            assert described["aria-invalid"] == "true"
    for name, value in fields.items():
        field = page.select_one(f"#{name}")
        if field is None or name == "action":
            continue
        if field.name == "textarea":
            assert field.text.strip() == value.strip()
        elif field.name == "input" and field.get("type") != "checkbox" and "\x07" not in value:
            assert field["value"] == value
    assert page.select("[role=alert]")
    assert busy_site.count_events() == before


async def test_a_taken_address_is_said_at_the_field(busy_site):
    answer = await send(busy_site.client("barbara"), "groups/new", name="Mine", slug="private")
    assert answer.status == 409
    page = soup_of(answer)
    assert "taken" in page.select_one("#slug-error").text
    assert page.select_one("#name")["value"] == "Mine"


async def test_projects_in_the_way_of_a_stricter_group_are_listed(busy_site):
    fields = {"name": "Public", "description": "", "visibility": "private", "access": "open"}
    answer = await send(busy_site.client("ada"), "groups/public/edit", **fields)
    assert answer.status == 409
    links = soup_of(answer).select("[role=alert] a")
    assert [link.text for link in links] == ["public-work"]


async def test_an_unknown_field_is_refused(busy_site):
    answer = await send(busy_site.client("ada"), "groups/new", name="x", owner="barbara")
    assert answer.status == 422
    assert "owner: There is no such field." in soup_of(answer).select_one("[role=alert]").text


async def test_a_field_sent_twice_or_a_file_is_refused(busy_site):
    ada = busy_site.client("ada")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await ada.post("groups/new", body=b"name=a&name=b", headers=form)
    assert answer.status == 422
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    part = b'--b\r\nContent-Disposition: form-data; name="name"; filename="n"\r\n\r\nx\r\n--b--\r\n'
    assert (await ada.post("groups/new", body=part, headers=kind)).status == 422
    assert (await ada.post("groups/new", body=b"nonsense", headers=kind)).status == 400
    assert (await ada.post("groups/new", body=b"name=%FF", headers=form)).status == 400


async def test_a_form_sent_twice_makes_one_thing(busy_site):
    ada = busy_site.client("ada")
    fields = {"group": "private", "name": "Twice", "once": "k1", "visibility": "private"}
    places = {landed(await send(ada, "projects/new", **fields)) for _ in range(2)}
    assert places == {"projects/twice"}
    other = await send(ada, "projects/new", **{**fields, "once": "k2"})
    assert landed(other) == "projects/twice-2"


FORMS = [
    ("groups/new", {"name": "x"}),
    (GROUP, {"action": "leave"}),
    (f"{GROUP}/edit", {"name": "x"}),
    (f"{GROUP}/delete", {"address": "private"}),
    (f"{GROUP}/people", {"action": "remove", "username": "grace"}),
    (f"{GROUP}/requests", {"action": "approve", "username": "barbara"}),
    ("projects/new", {"group": "private", "name": "x"}),
    (PROJECT, {"action": "restore"}),
    (f"{PROJECT}/edit", {"name": "x"}),
    (f"{PROJECT}/delete", {"address": "private-work"}),
    (f"{PROJECT}/labs/new", {"name": "x"}),
    (LAB, {"action": "start"}),
    (f"{LAB}/edit", {"name": "x"}),
    (f"{LAB}/delete", {"address": "bench"}),
    ("settings", {"name": "x"}),
]


@pytest.mark.parametrize(("path", "fields"), FORMS)
async def test_a_form_without_the_xsrf_token_does_nothing(busy_site, path, fields):
    before = busy_site.count_events()
    browser = busy_site.browser("ada")
    assert (await send(browser, path, **fields, _xsrf="forged")).status == 403
    assert (await send(browser, path, **fields, _xsrf="")).status == 403
    assert busy_site.count_events() == before


@pytest.mark.parametrize(("path", "fields"), FORMS)
async def test_guests_and_strangers_change_nothing(busy_site, path, fields):
    before = busy_site.count_events()
    if path not in {"groups/new"}:
        answer = await send(busy_site.client("barbara"), path, **fields)
        assert answer.status in {403, 404, 422}, answer.text
    answer = await send(busy_site.client(), path, **fields)
    assert answer.status in {401, 404, 422}
    assert busy_site.count_events() == before


async def test_a_session_can_do_everything_with_its_token(busy_site):
    browser = busy_site.browser("barbara")
    assert landed(await send(browser, "groups/public", action="join")) == "groups/public"
    flash = await browser.get("groups/public")
    assert flash.status == 200


async def test_a_message_is_shown_once(busy_site):
    browser = busy_site.browser("barbara")
    answer = await send(browser, "groups/public", action="join")
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    browser.headers["Cookie"] += f"; {cookie}"
    page = await browser.get("groups/public")
    assert "You belong to the group now." in soup_of(page).select_one("#messages").text
    assert any(
        value.startswith('sophon-flash="";') for value in page.headers.get_list("Set-Cookie")
    )
    forged = busy_site.browser("barbara")
    forged.headers["Cookie"] += "; sophon-flash=WyJzdWNjZXNzIiwgImhpIl0="
    assert soup_of(await forged.get("groups/public")).select_one("#messages").text.strip() == ""


TEXTS = [
    ("groups/new", {"name": BAD, "slug": "evil", "description": BAD}, "groups/evil"),
    (f"{GROUP}/edit", {"name": BAD, "description": BAD}, GROUP),
    (
        "projects/new",
        {"group": "private", "name": BAD, "slug": "evil", "description": BAD},
        "projects/evil",
    ),
    (f"{PROJECT}/labs/new", {"name": BAD, "slug": "evil"}, f"{PROJECT}/labs/evil"),
    (LAB, {"action": "lock", "reason": BAD}, LAB),
    ("settings", {"name": BAD, "description": BAD}, ""),
]


@pytest.mark.parametrize(("path", "fields", "place"), TEXTS)
async def test_script_in_a_text_stays_text(busy_site, path, fields, place):
    writer = busy_site.browser("root" if path == "settings" else "ada")
    sent = await send(writer, path, **fields)
    assert landed(sent) == place
    writer.headers["Cookie"] += "; " + sent.headers["Set-Cookie"].partition(";")[0]
    after = soup_of(await writer.get(place))
    assert after.select_one("#messages .message")
    form = soup_of(await writer.get(f"{place}/edit" if place else "settings"))
    for page in (after, form):
        assert all(one.has_attr("nonce") for one in page.select("script"))
    for address in (place, "", "groups", "projects", f"{GROUP}/events", f"{PROJECT}/edit"):
        client = client_of(busy_site, "guest" if place == "" and not address else "ada")
        page = soup_of(await client.get(address))
        assert not [one for one in page.select("script") if "alert" in str(one)]
        assert all(one.has_attr("nonce") for one in page.select("script"))
    shown = soup_of(await client_of(busy_site, "ada").get(place or "settings"))
    assert "<script>alert(1)</script>" in shown.body.text
    busy_site.app.settings.pop("instance_name", None)


async def test_a_display_name_with_script_stays_text(busy_site):
    token = busy_site.hub.token("ada", user_info={"display_name": BAD})
    ada = busy_site.bearing(token)
    for path in ("", GROUP, f"{GROUP}/people", LAB):
        page = soup_of(await ada.get(path))
        assert BAD in page.body.text
        assert all(one.has_attr("nonce") for one in page.select("script"))


async def test_a_request_to_join_with_script_stays_text(busy_site):
    with busy_site.rows() as session:
        world.taking_requests(world.corner(session, "internal"))
        world.corner(session, "internal").person("barbara").display_name = BAD
    page = soup_of(await busy_site.client("ada").get("groups/internal/requests"))
    assert BAD in page.main.text
    assert not page.main.select("script")


async def test_what_is_saved_unchanged_stays_the_same(busy_site):
    ada = busy_site.client("ada")
    with busy_site.rows() as session:
        lab = world.corner(session, "private").lab
        lab.memory_limit, lab.cpu_limit, lab.internet = 1536 * 1024**2, 0.5, False
    page = soup_of(await ada.get(f"{LAB}/edit"))
    fields = {
        str(one["name"]): str(one.get("value", ""))
        for one in page.select("main form input[name]")
        if one.get("type") != "checkbox" or one.has_attr("checked")
    }
    assert fields["memory_limit"] == "1.5G"
    answer = await send(ada, f"{LAB}/edit", **{k: v for k, v in fields.items() if k != "_xsrf"})
    assert landed(answer) == LAB
    with busy_site.rows() as session:
        lab = world.corner(session, "private").lab
        assert (lab.memory_limit, lab.cpu_limit, lab.internet) == (1536 * 1024**2, 0.5, False)


async def test_an_end_date_includes_its_day(busy_site):
    ada = busy_site.client("ada")
    fields = {"username": "barbara", "role": "viewer", "expires_at": "2031-01-31"}
    answer = await send(ada, f"{GROUP}/people", action="add", **fields)
    assert landed(answer) == f"{GROUP}/people"
    shown = soup_of(await ada.get(f"{GROUP}/people")).main.text
    assert "until 2031-01-31" in shown
    assert "until 2031-01-31" in soup_of(await ada.get(f"{GROUP}/events")).main.text


async def test_the_name_of_the_hub_can_be_changed(busy_site):
    root = busy_site.client("root")
    assert landed(await send(root, "settings", name="Optics Department", description="*Hi*")) == ""
    page = soup_of(await busy_site.client().get(""))
    assert page.title.text == "Optics Department"
    assert page.h1.text == "Optics Department"
    assert page.select_one(".hero em").text == "Hi"
    busy_site.app.settings.pop("instance_name", None)


@pytest.mark.parametrize("amount", [1, 1023, 512 * 1024**2, 1700 * 1024**2, 5 * 1024**3 // 4])
def test_memory_that_is_shown_is_read_the_same(amount):
    assert parse_bytes(words.memory(amount)) == amount


def test_numbers_are_read_with_comma_or_point():
    assert read_form(NewLab, {"name": "x", "cpu_limit": "1,5"}).cpu_limit == 1.5
    assert read_form(NewLab, {"name": "x", "cpu_limit": " 2 "}).cpu_limit == 2
    assert read_form(NewLab, {"name": "x"}).internet is False
