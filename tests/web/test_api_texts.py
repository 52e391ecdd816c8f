"""What people type comes back as data, cleaned, and is never markup."""

import pytest
from bs4 import BeautifulSoup

from sophon_hub.names import RESERVED_PREFIXES, RESERVED_SLUGS
from tests.web import world
from tests.web.conftest import Client, Site

SCRIPTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "<a href='javascript:alert(1)'>x</a>",
    "![x](https://example.org/tracker.png)",
    "<svg/onload=alert(1)>",
    "<iframe src=//example.org></iframe>",
    '[x](https://example.org "\' onmouseover=alert(1)")',
    '<https://example.org/" onmouseover=alert(1)>',
    "```html\n<script>alert(1)</script>\n```",
    "{{ 7 * 7 }} {% raw %}",
]
HARMLESS = {
    "a": {"href", "title", "rel"},
    "p": set(),
    "pre": set(),
    "code": {"class"},
    "strong": set(),
}

GROUP = "api/v1/groups/public"
PROJECT = "api/v1/projects/public-work"
LAB = f"{PROJECT}/labs/bench"

TEXTS = {
    "name of a group": ("PATCH", GROUP, "name", "name"),
    "description of a group": ("PATCH", GROUP, "description", "description"),
    "name of a project": ("PATCH", PROJECT, "name", "name"),
    "description of a project": ("PATCH", PROJECT, "description", "description"),
    "name of a lab": ("PATCH", LAB, "name", "name"),
    "reason of a lock": ("POST", f"{LAB}/lock", "reason", "lock_reason"),
    "name of the hub": ("PATCH", "api/v1/instance", "name", "name"),
    "description of the hub": ("PATCH", "api/v1/instance", "description", "description"),
    "message of a request": ("POST", f"{GROUP}/join", "message", "message"),
}
NAMES = [name for name in TEXTS if name.startswith("name")]
LONG = [name for name in TEXTS if not name.startswith("name")]
MOST = {"name": 200, "description": 64 * 1024, "reason": 1000, "message": 1000}


class Typist:
    """Somebody who may type each of the texts."""

    def __init__(self, site: Site, text: str) -> None:
        self.method, self.path, self.field, self.seen_as = TEXTS[text]
        who = "root" if "hub" in text else "edsger" if "request" in text else "ada"
        self.client: Client = site.client(who)
        with site.rows() as session:
            world.taking_requests(world.corner(session, "public"))

    async def type(self, value: object):
        return await self.client.request(self.method, self.path, {self.field: value})

    async def comes_back(self, value: str) -> str:
        answer = await self.type(value)
        assert answer.status in {200, 202}, answer.text
        return answer.json[self.seen_as]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("text", TEXTS)
async def test_markup_is_text(busy_site: Site, text: str, script: str):
    typist = Typist(busy_site, text)
    if "\n" in script and text in NAMES:
        script = script.replace("\n", " ")
    answer = await typist.type(script)
    assert answer.status in {200, 202}
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.json[typist.seen_as] == script
    for tag in BeautifulSoup(answer.json.get("description_html", ""), "html.parser").find_all():
        assert set(tag.attrs) <= HARMLESS[tag.name]
        assert str(tag.get("href", "https:")).startswith("https:")


async def test_a_description_is_markdown(busy_site: Site):
    text = "# Title\n\n*light* and [more](https://example.org)\n\n| a |\n|---|\n| 1 |"
    answer = await busy_site.client("ada").patch(GROUP, {"description": text})
    html = answer.json["description_html"]
    assert "<h1>Title</h1>" in html
    assert "<em>light</em>" in html
    assert '<a href="https://example.org" rel="nofollow noopener noreferrer">more</a>' in html
    assert "<table>" in html


@pytest.mark.parametrize("text", TEXTS)
async def test_a_text_is_trimmed_and_normalised(busy_site: Site, text: str):
    typist = Typist(busy_site, text)
    assert await typist.comes_back(" \t A\u0308rzte \u3042 \U0001f600 ") == "Ärzte あ 😀"


@pytest.mark.parametrize("control", ["\x00", "\x01", "\x1b", "\x7f", "\x85", "\u202e", "\ud800"])
@pytest.mark.parametrize("text", TEXTS)
async def test_control_characters_are_422(busy_site: Site, text: str, control: str):
    typist = Typist(busy_site, text)
    answer = await typist.type(f"a{control}b")
    assert answer.wrong_fields == {typist.field}
    assert busy_site.count_events() == 0


@pytest.mark.parametrize("text", NAMES)
@pytest.mark.parametrize("name", ["", " ", "\t\n", "\u200b", "\u00a0", "a\nb", "a\tb"])
async def test_a_name_is_one_line_that_can_be_seen(busy_site: Site, text: str, name: str):
    assert (await Typist(busy_site, text).type(name)).wrong_fields == {"name"}


@pytest.mark.parametrize("text", LONG)
async def test_longer_texts_have_lines_and_tabs(busy_site: Site, text: str):
    assert await Typist(busy_site, text).comes_back("a\r\n\tb\n") == "a\n\tb"


@pytest.mark.parametrize("text", TEXTS)
async def test_a_text_is_as_long_as_allowed_and_not_longer(busy_site: Site, text: str):
    typist = Typist(busy_site, text)
    most = MOST[typist.field]
    assert (await typist.type("a" * (most + 1))).wrong_fields == {typist.field}
    assert await typist.comes_back(f" {'a' * most} ") == "a" * most


async def test_a_description_is_measured_in_bytes(busy_site: Site):
    ada = busy_site.client("ada")
    assert (await ada.patch(GROUP, {"description": "ä" * 32769})).wrong_fields == {"description"}
    assert (await ada.patch(GROUP, {"description": "ä" * 32768})).status == 200


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "a" * 49,
        "A",
        "a_b",
        "a b",
        "-a",
        "a-",
        "a--b",
        "a/b",
        "../a",
        "a.b",
        "ä",
        "\u0430",
        "a\n",
        "a\x00",
        *sorted(RESERVED_SLUGS),
        *RESERVED_PREFIXES,
        "project-a",
        "tmp-a",
        1,
        True,
        ["a"],
    ],
)
async def test_a_slug_that_cannot_be_is_422(site: Site, slug: object):
    ada = site.client("ada")
    await ada.post("api/v1/groups", {"name": "Optics"})
    for path, body in (
        ("groups", {}),
        ("projects", {"group": "optics"}),
    ):
        answer = await ada.post(f"api/v1/{path}", {**body, "name": "New", "slug": slug})
        assert answer.wrong_fields == {"slug"}


def test_the_words_that_the_contract_reserves_are_reserved():
    words = (
        "new edit api admin static settings members projects groups labs events search help login"
        " logout hub user services health me try tmp"
    )
    assert set(words.split()) <= RESERVED_SLUGS
    assert set(RESERVED_PREFIXES) == {"project-", "tmp-"}


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Größe & Maß", "grosse-mass"),
        ("Éloïse", "eloise"),
        ("../../etc/passwd", "etc-passwd"),
        ("new", "x-new"),
        ("project-x", "x-project-x"),
        ("a" * 200, "a" * 48),
        ("<b>bold</b>", "b-bold-b"),
    ],
)
async def test_a_slug_is_made_from_the_name(site: Site, name: str, slug: str):
    assert (await site.client("ada").post("api/v1/groups", {"name": name})).json["slug"] == slug


@pytest.mark.parametrize("name", ["光学", "😀", "…", "ـ"])
async def test_a_name_without_latin_letters_gets_a_slug_too(site: Site, name: str):
    created = await site.client("ada").post("api/v1/groups", {"name": name})
    assert created.status == 201
    assert (await site.client().get(f"api/v1/groups/{created.json['slug']}")).json["name"] == name
