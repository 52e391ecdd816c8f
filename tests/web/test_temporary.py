"""The page of visitors: only its form takes a lab, and each browser gets its own."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from sophon_hub.actions.keeping import note_kept
from sophon_hub.actions.temporary import note_ready, refill
from sophon_hub.clock import utcnow
from sophon_hub.errors import TooMany
from sophon_hub.metrics.exposition import VISITS
from sophon_hub.models import TemporaryLab, TemporaryState, TemporaryVisit
from sophon_hub.settings import Sophon
from sophon_hub.web.visitors import WINDOW_SECONDS, ClaimBuckets, bucket_of
from tests.conftest import StoppedClock
from tests.web.conftest import PREFIX, Answer, Client, Site
from tests.web.test_pages import doors, send, soup_of

ENTRY = "/hub/api/oauth2/authorize"


@pytest.fixture
def offering(site: Site) -> Iterator[Site]:
    with two_labs(site):
        yield site


@contextmanager
def two_labs(site: Site) -> Iterator[None]:
    """Have the portal offer two temporary labs, and ask a lot of nobody."""
    usual, claims = site.portal.settings, site.portal.claims
    site.portal.settings = Sophon(
        data_dir=usual.data_dir,
        temporary_labs=True,
        temporary_capacity=2,
        temporary_pool=2,
        temporary_claims=100,
    )
    site.portal.claims = ClaimBuckets()
    try:
        yield
    finally:
        site.portal.settings, site.portal.claims = usual, claims


def fill(site: Site) -> None:
    """What the worker does."""
    with site.rows() as session:
        for name in refill(session, site.portal.settings, room=10):
            session.flush()
            note_ready(session, name)


def labs(site: Site) -> list[TemporaryState]:
    with site.rows() as session:
        return sorted(session.scalars(select(TemporaryLab.state)))


def waiting(site: Site) -> int:
    with site.rows() as session:
        return len(session.scalars(select(TemporaryVisit.id)).all())


@dataclass
class Visitor:
    """A browser of somebody without an account, which keeps the cookies of the portal."""

    site: Site
    forwarded: str = "198.51.100.7"
    jar: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)

    def client(self) -> Client:
        sent = {n: v for n, v in self.jar.items() if PREFIX.startswith(self.paths[n])}
        header = "; ".join(f"{name}={value}" for name, value in sent.items())
        headers = {"X-Forwarded-For": self.forwarded} | ({"Cookie": header} if header else {})
        return Client(self.site.url, None, self.site.contract, headers)

    def keep(self, answer: Answer) -> Answer:
        for line in answer.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.jar[name], self.paths[name] = morsel.value, morsel["path"]
        return answer

    async def look(self, path: str = "try", method: str = "GET") -> Answer:
        return self.keep(await self.client().request(method, path))

    async def press(self, action: str = "start", **fields: str) -> Answer:
        field = soup_of(await self.look()).select_one("input[name=_xsrf]")
        token = str(field["value"]) if field else ""
        fields |= {"action": action, "_xsrf": token}
        return self.keep(await send(self.client(), "try", **fields))


def told(answer: Answer) -> str:
    main = BeautifulSoup(answer.text, "html5lib").select_one("main")
    assert main is not None
    return " ".join(main.get_text().split())


def is_in_lab(answer: Answer) -> bool:
    location = answer.headers.get("Location", "")
    return answer.status == 303 and location.startswith("/user/tmp-") and location.endswith("/lab")


async def test_the_button_leads_into_a_lab(offering: Site):
    fill(offering)
    answer = await Visitor(offering).press()
    assert is_in_lab(answer), answer.text
    assert labs(offering) == [TemporaryState.CLAIMED, TemporaryState.READY]


async def test_the_front_page_leads_to_the_offer(offering: Site):
    home = await offering.client().get("")
    assert "try" in doors(home)
    offering.portal.settings = Sophon(data_dir=offering.portal.settings.data_dir)
    assert "try" not in doors(await offering.client().get(""))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_takes_nothing(offering: Site, method: str):
    fill(offering)
    for path in ("try", "try?action=start", "try?ended=true", ""):
        answer = await Visitor(offering).look(path, method)
        assert answer.status == 200
        assert "sophon-visit" not in str(answer.headers)
    assert labs(offering) == [TemporaryState.READY] * 2
    assert waiting(offering) == 0


async def test_search_engines_are_told_to_stay_away(offering: Site):
    answer = await offering.client().get("try")
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert soup_of(answer).select_one('meta[name=robots][content*="noindex"]')


async def test_what_another_site_sends_takes_nothing(offering: Site):
    fill(offering)
    visitor, attacker = Visitor(offering), Visitor(offering)
    await visitor.look()
    field = soup_of(await attacker.look()).select_one("input[name=_xsrf]")
    assert field is not None
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    guessed = {"visitor": ("", "&_xsrf=made-up"), "nobody": ("", f"&_xsrf={field['value']}")}
    # with the visitor's cookies, and as browsers send a form of another site: without
    clients = {"visitor": visitor.client(), "nobody": Visitor(offering).client()}
    for who, client in clients.items():
        for token in guessed[who]:
            answer = await client.post("try", body=f"action=start{token}".encode(), headers=form)
            assert answer.status == 403
    assert labs(offering) == [TemporaryState.READY] * 2
    assert is_in_lab(await visitor.press())


async def test_a_button_that_is_none_does_nothing(offering: Site):
    fill(offering)
    assert (await Visitor(offering).press("restart")).status == 404
    assert labs(offering) == [TemporaryState.READY] * 2


async def test_the_secret_goes_to_the_portal_and_to_the_door_and_to_no_lab(offering: Site):
    fill(offering)
    visitor = Visitor(offering)
    answer = await visitor.press()
    lines = [line for line in answer.headers.get_list("Set-Cookie") if "sophon-visit" in line]
    assert sorted(SimpleCookie(line).popitem()[1]["path"] for line in lines) == [ENTRY, PREFIX]
    for line in lines:
        assert "HttpOnly" in line
        assert "SameSite=Lax" in line
    assert len({visitor.jar[name] for name in visitor.jar if "visit" in name}) == 1


async def test_the_same_browser_comes_back_to_its_lab(offering: Site):
    fill(offering)
    visitor = Visitor(offering)
    first = await visitor.press()
    assert (await visitor.press()).headers["Location"] == first.headers["Location"]
    page = await visitor.look()
    link = soup_of(page).select_one("main a.btn-primary")
    assert link is not None
    assert link["href"] == first.headers["Location"]
    assert labs(offering) == [TemporaryState.CLAIMED, TemporaryState.READY]


async def test_a_secret_that_is_made_up_gives_no_lab_of_others(offering: Site):
    fill(offering)
    await Visitor(offering).press()
    for secret in ("x", "", "a" * 43, "ü", "a" * 3000):
        stranger = Visitor(offering, jar={"sophon-visit": secret}, paths={"sophon-visit": PREFIX})
        page = await stranger.look()
        assert page.status == 200
        assert "/user/" not in page.text


async def test_the_page_of_a_visit_says_when_it_ends(offering: Site):
    fill(offering)
    visitor = Visitor(offering)
    await visitor.press()
    page = await visitor.look()
    assert soup_of(page).select_one("[data-countdown]")
    assert "30 minutes" in told(page)


async def test_a_visitor_ends_the_visit(offering: Site):
    fill(offering)
    visitor = Visitor(offering)
    await visitor.press()
    answer = await visitor.press("end")
    assert (answer.status, answer.headers["Location"]) == (303, f"{PREFIX}try")
    assert labs(offering) == [TemporaryState.ENDING, TemporaryState.READY]
    assert "deleted" in told(await visitor.look())


@pytest.mark.parametrize("knows_a_secret", [True, False])
async def test_who_has_no_visit_cannot_end_one(offering: Site, knows_a_secret: bool):
    fill(offering)
    await Visitor(offering).press()
    other = Visitor(offering)
    if knows_a_secret:
        other.jar["sophon-visit"], other.paths["sophon-visit"] = "b" * 43, PREFIX
    assert (await other.press("end")).status == 404
    assert labs(offering) == [TemporaryState.CLAIMED, TemporaryState.READY]


async def test_when_none_is_ready_a_page_says_so_and_opens_the_lab_by_itself(offering: Site):
    visitor = Visitor(offering)
    answer = await visitor.press()
    assert (answer.status, answer.headers["Location"]) == (303, f"{PREFIX}try")
    page = await visitor.look()
    assert page.status == 503
    assert int(page.headers["Retry-After"]) > 0
    assert soup_of(page).select_one('meta[http-equiv="refresh"]')
    assert "being started" in told(page)
    fill(offering)
    assert is_in_lab(await visitor.look())


async def test_when_all_are_in_use_the_page_says_the_place_in_the_queue(offering: Site):
    fill(offering)
    for _ in range(2):
        await Visitor(offering).press()
    first, second = Visitor(offering), Visitor(offering)
    for visitor in (first, second):
        await visitor.press()
    assert "You are next" in told(await first.look())
    page = await second.look()
    assert page.status == 503
    assert "number 2" in told(page)
    assert "All temporary labs are in use" in told(page)


async def test_a_look_at_the_headers_only_does_not_take_the_lab_one_waits_for(offering: Site):
    visitor = Visitor(offering)
    await visitor.press()
    fill(offering)
    assert (await visitor.look(method="HEAD")).status == 503
    assert TemporaryState.CLAIMED not in labs(offering)


async def test_who_waits_may_leave_the_queue(offering: Site):
    visitor = Visitor(offering)
    await visitor.press()
    assert waiting(offering) == 1
    assert (await visitor.press("end")).status == 303
    assert waiting(offering) == 0


async def test_who_waited_too_long_unseen_is_offered_a_lab_anew(
    offering: Site, stopped_clock: StoppedClock
):
    visitor = Visitor(offering)
    await visitor.press()
    stopped_clock.forward(minutes=5)
    assert "start" in doors(await visitor.look())


async def test_somebody_who_is_signed_in_is_told_of_the_lab_of_their_own(offering: Site):
    fill(offering)
    client = offering.browser("barbara")
    page = await client.get("try")
    assert page.status == 200
    assert "You have a lab of your own" in told(page)
    assert "start" not in doors(page)
    assert (await send(client, "try", action="start")).status == 409
    assert labs(offering) == [TemporaryState.READY] * 2


async def test_where_it_is_off_nobody_gets_a_lab(site: Site):
    page = await Visitor(site).look()
    assert page.status == 404
    assert "no temporary labs" in told(page)
    with site.rows() as session:
        session.add(
            TemporaryLab(
                name="tmp-left",
                state=TemporaryState.READY,
                image="x",
                made_at=utcnow(),
            )
        )
    visitor = Visitor(site)
    await visitor.look("login")
    assert (await visitor.press()).status in {403, 404}
    assert labs(site) == [TemporaryState.READY]


# how often


async def test_an_address_that_asks_too_often_is_told_when_to_come_again(offering: Site):
    offering.portal.settings.temporary_claims = 2
    fill(offering)
    browsers = [Visitor(offering) for _ in range(3)]
    answers = [await browser.press() for browser in browsers]
    assert [is_in_lab(answer) for answer in answers] == [True, True, False]
    assert answers[2].status == 429
    assert 1 <= int(answers[2].headers["Retry-After"]) <= WINDOW_SECONDS
    assert waiting(offering) == 0
    # who has a lab comes back to it, and other addresses are others
    assert is_in_lab(await browsers[0].press())
    assert (await Visitor(offering, forwarded="198.51.100.8").press()).status == 303


def test_a_bucket_fills_up_with_time():
    now = [0.0]
    buckets = ClaimBuckets(lambda: now[0])
    taken = 0
    for second in range(60 * 60):
        now[0] = float(second)
        try:
            buckets.take("somebody", 5)
        except TooMany:
            continue
        taken += 1
    # a full bucket, and what an hour of six windows brings
    assert 5 + 6 * 5 - 1 <= taken <= 5 + 6 * 5


def test_a_thousand_claims_a_minute_from_one_address_get_five():
    now = [0.0]
    buckets = ClaimBuckets(lambda: now[0])
    taken = 0
    for number in range(1000):
        now[0] = number * 0.06
        try:
            buckets.take("somebody", 5)
        except TooMany:
            continue
        taken += 1
    assert taken == 5


async def test_a_thousand_claims_from_one_and_as_many_from_many_addresses_exceed_nothing(
    offering: Site,
):
    offering.portal.settings.temporary_capacity = offering.portal.settings.temporary_pool = 10
    offering.portal.settings.temporary_claims = 5
    fill(offering)

    async def claim(forwarded: str) -> Answer:
        client = Client(offering.url, headers={"X-Forwarded-For": forwarded})
        return await client.post("api/v1/temporary/visit", {"project": None})

    async def all_claim(addresses: list[str]) -> list[Answer]:
        answers: list[Answer] = []
        for start in range(0, len(addresses), 50):
            answers += await asyncio.gather(*map(claim, addresses[start : start + 50]))
        return answers

    one = await all_claim(["198.51.100.7"] * 1000)
    many = await all_claim([f"203.0.{n // 250}.{n % 250}" for n in range(1000)])

    assert Counter(answer.status for answer in one) == {200: 5, 429: 995}
    assert Counter(answer.status for answer in many) == {200: 5, 503: 995}
    given = {answer.json["url"] for answer in one + many if answer.status == 200}
    assert len(given) == 10
    refused = [answer for answer in one + many if answer.status != 200]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    fill(offering)
    assert labs(offering) == [TemporaryState.CLAIMED] * 10
    assert (await offering.client().get("try")).status == 200


def test_many_addresses_take_no_more_memory_than_a_few():
    buckets = ClaimBuckets()
    for number in range(30_000):
        buckets.take(f"address {number}", 5)
    assert len(buckets._buckets) == 10_000


CAMPUS = Sophon(campus_networks="192.0.2.0/24, 2001:db8:1::/48", campus_claims=99)


@pytest.mark.parametrize(
    ("forwarded", "key", "size"),
    [
        ("198.51.100.7", "198.51.100.7", 5),
        # the web server in front, on this machine, is believed about one address: the last
        ("198.51.100.7, 127.0.0.1", "198.51.100.7", 5),
        ("10.9.8.7, 198.51.100.7, 127.0.0.1", "198.51.100.7", 5),
        ("127.0.0.1, 198.51.100.7", "198.51.100.7", 5),
        ("198.51.100.7, ::ffff:127.0.0.1", "198.51.100.7", 5),
        ("made up, 127.0.0.1", "127.0.0.1", 5),
        ("", "unknown", 5),
        ("made up", "unknown", 5),
        # one customer has a whole network of these
        ("2001:db8:2:3:4:5:6:7", "2001:db8:2:3::/64", 5),
        ("192.0.2.44", "192.0.2.44", 99),
        ("2001:db8:1::5", "2001:db8:1::5", 99),
    ],
)
def test_the_address_is_what_the_last_trusted_proxy_says(forwarded: str, key: str, size: int):
    assert bucket_of(forwarded, CAMPUS) == (key, size)


def test_campus_networks_cannot_be_claimed_by_a_header():
    assert bucket_of("192.0.2.44, 198.51.100.7, 127.0.0.1", CAMPUS) == ("198.51.100.7", 5)


# what a temporary lab may do here


async def test_the_portal_knows_no_visitor_as_a_person(offering: Site):
    """Whatever token a program in a temporary lab has: pages and API refuse it."""
    client = offering.bearing(offering.hub.token("tmp-0123456789abcdef"))
    for path in (
        "",
        "groups",
        "projects",
        "trash",
        "try",
        "api/v1/me",
        "api/v1/users",
        "api/v1/groups",
    ):
        assert (await client.get(path)).status == 403, path
    answer = await client.post("api/v1/groups", {"name": "Mine"})
    assert answer.status == 403


async def test_the_numbers_are_for_everybody(offering: Site):
    fill(offering)
    await Visitor(offering).press()
    numbers = (await offering.client().get("api/v1/temporary")).json
    assert (numbers["offered"], numbers["capacity"], numbers["pool"]) == (True, 2, 2)
    assert (numbers["ready"], numbers["claimed"], numbers["waiting"]) == (1, 1, 0)
    assert "tmp-" not in str(numbers)


async def test_metrics_tell_how_many_visitors_found_a_lab_ready(offering: Site):
    async def visits(ready: str) -> float:
        said = (await offering.client("root").get("metrics")).text
        (line,) = (
            line for line in said.splitlines() if line.startswith(f'{VISITS.name}{{ready="{ready}"')
        )
        return float(line.split()[-1])

    before = [await visits("yes"), await visits("no")]
    fill(offering)
    first = Visitor(offering)
    for visitor in (first, Visitor(offering), Visitor(offering)):
        await visitor.press()
    await first.press()  # back in the same lab
    assert [await visits("yes"), await visits("no")] == [before[0] + 2, before[1] + 1]


@dataclass
class Keeper:
    """A visitor with a lab, who has signed in since."""

    client: Client
    site: Site

    @classmethod
    async def arrive(cls, site: Site) -> "Keeper":
        fill(site)
        visitor = Visitor(site)
        assert is_in_lab(await visitor.press())
        client = site.browser("barbara")
        client.headers["Cookie"] += f"; sophon-visit={visitor.jar['sophon-visit']}"
        return cls(client, site)

    async def look(self) -> Answer:
        return await self.client.get("try")

    async def press(self, action: str = "keep", **fields: str) -> Answer:
        return await send(self.client, "try", action=action, **fields)

    def becomes(self, **what: str) -> None:
        """What the worker writes down."""
        with self.site.rows() as session:
            name = session.scalars(
                select(TemporaryLab.name).where(TemporaryLab.state == TemporaryState.CLAIMED)
            ).one()
            note_kept(session, name, **what)


async def test_a_guest_is_told_to_sign_in_to_keep_work_and_comes_back_to_the_page(offering: Site):
    fill(offering)
    visitor = Visitor(offering)
    await visitor.press()
    page = await visitor.look()
    link = soup_of(page).select_one("main a.btn[href*=login]")
    assert link is not None
    assert "Sign in and keep my work" in link.get_text()
    assert link["href"] == f"{PREFIX}login?next=%2Fservices%2Fsophon%2Ftry"
    assert "keep" not in doors(page)
    assert (await visitor.press("keep")).status == 401


async def test_who_is_signed_in_has_the_work_copied_and_is_told_where_it_is(offering: Site):
    keeper = await Keeper.arrive(offering)
    assert {"keep", "end"} <= doors(await keeper.look())
    assert (await keeper.press()).status == 303
    page = await keeper.look()
    assert "Your files are being copied to the folder “From a temporary lab" in told(page)
    assert soup_of(page).select_one("meta[http-equiv=refresh]")
    assert not {"keep", "end"} & doors(page)
    assert (await keeper.press()).status == 409
    assert (await keeper.press("end")).status == 409
    keeper.becomes(folder="From a temporary lab X (2)")
    page = await keeper.look()
    assert "Your files are in the folder “From a temporary lab X (2)” of your own lab" in told(page)
    assert not soup_of(page).select_one("meta[http-equiv=refresh]")
    assert {"keep", "end"} <= doors(page)
    assert (await keeper.press("end")).status == 303
    assert "You have a lab of your own" in told(await keeper.look())


async def test_why_work_was_not_copied_is_said_and_it_can_be_tried_again(offering: Site):
    keeper = await Keeper.arrive(offering)
    await keeper.press()
    keeper.becomes(trouble="The disk is full.")
    page = await keeper.look()
    alert = soup_of(page).select_one("main [role=alert]")
    assert alert is not None
    assert alert.get_text() == "The disk is full."
    assert (await keeper.press()).status == 303
    assert "The disk is full." not in told(await keeper.look())


async def test_who_is_signed_in_and_has_no_visit_keeps_nothing(offering: Site):
    fill(offering)
    await Visitor(offering).press()
    client = offering.browser("barbara")
    assert (await send(client, "try", action="keep")).status == 404
    client.headers["Cookie"] += f"; sophon-visit={'b' * 43}"
    assert (await send(client, "try", action="keep")).status == 404


async def test_work_is_kept_in_a_new_project_whose_lab_the_page_leads_to(offering: Site):
    keeper = await Keeper.arrive(offering)
    group = "barbaras"
    await offering.client("barbara").post("api/v1/groups", {"name": group})
    page = await keeper.look()
    assert "keep-project" in doors(page)

    answer = await keeper.press("keep-project", group=group, name="What I tried")

    assert answer.status == 303
    assert "of the lab of the project What I tried" in told(await keeper.look())
    assert (await keeper.press("keep-project", group=group, name="Twice")).status == 409
    keeper.becomes(folder="From a temporary lab X")
    page = await keeper.look()
    assert "“From a temporary lab X” of the lab of the project What I tried" in told(page)
    link = soup_of(page).select_one("main a[href*=what-i-tried]")
    assert link is not None
    assert (await keeper.client.get(str(link["href"]).removeprefix(PREFIX))).status == 200
    assert {"keep", "keep-again", "keep-project"} <= doors(page)
    assert (await keeper.press("keep-again")).status == 303


async def test_a_project_that_cannot_be_made_is_said_at_its_field_and_the_visit_is_there(
    offering: Site,
):
    keeper = await Keeper.arrive(offering)
    assert "Create a group first" in told(await keeper.look())
    await offering.client("barbara").post("api/v1/groups", {"name": "barbaras"})

    answer = await keeper.press("keep-project", group="barbaras", name=" ")

    assert answer.status == 422
    shown = soup_of(answer)
    assert shown.select_one("#name-error") is not None
    assert shown.select_one("details[open]") is not None
    assert {"keep", "end"} <= doors(answer)
    assert (await keeper.press("keep-project", group="nothing", name="x")).status == 422
