"""Who the portal takes a caller for: tokens, sessions, guests."""

import asyncio

import pytest

from sophon_hub.models import MemberRole
from sophon_hub.settings import BadSetting, Sophon
from tests import make
from tests.web import world
from tests.web.conftest import Site, xsrf_of

ME = "api/v1/me"
NEW = {"name": "Optics"}


async def test_without_credentials_one_is_a_guest(site: Site):
    me = await site.client().get(ME)
    assert me.status == 200
    assert me.json["username"] is None


@pytest.mark.parametrize("spelling", ["Bearer {}", "bearer {}", "token {}", "Token  {} "])
async def test_a_token_is_understood_as_jupyterhub_writes_it_too(site: Site, spelling: str):
    header = {"Authorization": spelling.format(site.hub.token("ada"))}
    assert (await site.client().get(ME, headers=header)).json["username"] == "ada"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YWRhOmFkYQ==", "Bearer {0} {0}", "{0}", "Digest {0}"]
)
async def test_other_authorization_headers_are_refused(site: Site, header: str):
    sent = {"Authorization": header.format(site.hub.token("ada"))}
    refused = await site.client().get(ME, headers=sent)
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_token_ends_the_moment_it_is_revoked(site: Site):
    token = site.hub.token("ada")
    assert (await site.bearing(token).get(ME)).status == 200
    site.hub.revoke(token)
    assert (await site.bearing(token).get(ME)).status == 401


async def test_a_token_in_the_address_is_refused_and_not_ignored(site: Site):
    assert (await site.client().get(f"{ME}?token={site.hub.token('ada')}")).wrong_fields == {
        "token"
    }


async def test_the_token_counts_and_not_the_session_when_both_are_sent(site: Site):
    sent = {"Authorization": f"Bearer {site.hub.token('grace')}"}
    assert (await site.browser("ada").get(ME, headers=sent)).json["username"] == "grace"
    wrong = {"Authorization": "Bearer nonsense"}
    assert (await site.browser("ada").get(ME, headers=wrong)).status == 401


async def test_wrong_credentials_are_told_before_wrong_fields(site: Site):
    wrong = site.bearing("nonsense")
    for path, body in (("api/v1/groups", {"nmae": ""}), ("api/v1/groups/x/y/z", {})):
        assert (await wrong.post(path, body)).status == 401


async def test_a_guest_is_asked_to_sign_in_before_fields_are_looked_at(site: Site):
    assert (await site.client().post("api/v1/groups", {"nmae": ""})).status == 401


@pytest.mark.parametrize("mode", [None, "navigate"])
async def test_a_session_reads_without_xsrf_token(site: Site, mode: str | None):
    headers = {"Sec-Fetch-Mode": mode} if mode else {}
    assert (await site.browser("ada").get(ME, headers=headers)).json["username"] == "ada"


@pytest.mark.parametrize("mode", ["cors", "same-origin"])
async def test_a_script_reads_only_with_the_xsrf_token(site: Site, mode: str):
    # notebooks of other people are of the same origin, where no subdomains are set up
    ada = site.browser("ada")
    headers = {"Sec-Fetch-Mode": mode}
    assert (await ada.get(ME, headers=headers)).status == 403
    allowed = await ada.get(ME, headers={**headers, "X-XSRFToken": xsrf_of(ada)})
    assert allowed.json["username"] == "ada"
    allowed = await ada.get(f"{ME}?_xsrf={xsrf_of(ada)}", headers=headers)
    assert allowed.json["username"] == "ada"


@pytest.mark.parametrize("mode", [None, "navigate", "cors", "same-origin", "no-cors"])
async def test_a_session_writes_only_with_the_xsrf_token(site: Site, mode: str | None):
    ada, grace = site.browser("ada"), site.browser("grace")
    headers = {"Sec-Fetch-Mode": mode} if mode else {}
    for token in (None, "", "nonsense", "\xfc", xsrf_of(grace)):
        sent = headers if token is None else {**headers, "X-XSRFToken": token}
        refused = await ada.post("api/v1/groups", NEW, headers=sent)
        assert refused.status == 403
        assert "X-XSRFToken" in refused.json["detail"]
    assert site.count_events() == 0
    sent = {**headers, "X-XSRFToken": xsrf_of(ada)}
    assert (await ada.post("api/v1/groups", NEW, headers=sent)).status == 201


async def test_a_token_writes_without_xsrf_token_from_wherever(site: Site):
    headers = {"Sec-Fetch-Mode": "cors", "Origin": "https://example.org"}
    assert (await site.client("ada").post("api/v1/groups", NEW, headers=headers)).status == 201


async def test_no_answer_is_shared_with_other_origins(site: Site):
    answer = await site.client().get(ME, headers={"Origin": "https://example.org"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


async def test_a_session_that_ended_is_no_guest(site: Site):
    ada = site.browser("ada")
    assert (await ada.get(ME)).status == 200
    for token in list(site.hub.tokens):
        site.hub.revoke(token)
    site.portal.hub_auth.cache.clear()  # as time does, after `access_cache_seconds`
    ended = await ada.get(ME)
    assert ended.status == 401
    assert 'service-sophon="";' in ended.headers["Set-Cookie"]


def test_nothing_is_remembered_for_ever():
    # which is what JupyterHub takes 0 for
    with pytest.raises(BadSetting):
        Sophon(access_cache_seconds=0)


async def test_a_forged_session_cookie_makes_a_guest(site: Site):
    # it is not signed by this portal: there are no credentials in it
    forged = {"Cookie": "service-sophon=2|1:0|10:1|14:service-sophon|4:YWRh|00"}
    assert (await site.client().get(ME, headers=forged)).json["username"] is None
    assert (await site.client().post("api/v1/groups", NEW, headers=forged)).status == 401


@pytest.mark.parametrize("broken", [500, 502, 503, 429])
async def test_a_hub_in_trouble_is_503_and_makes_nobody_a_guest(site: Site, broken: int):
    ada, browser = site.client("ada"), site.browser("ada")
    site.hub.broken = broken
    for client in (ada, browser):
        answer = await client.get(ME)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0


async def test_without_the_hub_guests_are_served_and_others_told_to_wait(site: Site):
    with site.without_hub():
        assert (await site.client("ada").get(ME)).status == 503
        assert (await site.client().get(ME)).status == 200


async def test_somebody_is_admin_as_long_as_the_hub_says_so(site: Site):
    boss = site.client("boss")
    edit = {"name": "Ours"}
    assert (await boss.patch("api/v1/instance", edit)).status == 403
    admin = site.bearing(site.hub.token("boss", admin=True))
    assert (await admin.patch("api/v1/instance", edit)).status == 200
    assert (await admin.get(ME)).json["admin"] is True
    assert (await boss.patch("api/v1/instance", edit)).status == 403
    assert (await boss.get(ME)).json["admin"] is False
    with site.rows() as session:
        assert not world.person(session, "boss").is_admin


async def test_the_name_people_go_by_is_the_one_the_hub_told_last(site: Site):
    for name in ("Ada", "Ada Lovelace", "Ada"):
        token = site.hub.token("ada", user_info={"display_name": name})
        assert (await site.bearing(token).get(ME)).json["display_name"] == name


async def test_first_requests_in_parallel_make_one_person(site_on_any: Site):
    answers = await asyncio.gather(*(site_on_any.client("ada").get(ME) for _ in range(8)))
    assert {answer.json["username"] for answer in answers} == {"ada"}


async def test_a_membership_ends_at_its_hour(site: Site, stopped_clock):
    with site.rows() as session:
        group = make.group(session, "optics")
        make.membership(session, group, make.person(session, "ada"), MemberRole.OWNER)
        make.membership(
            session,
            group,
            make.person(session, "grace"),
            expires_at=stopped_clock.now.replace(hour=13),
        )
    grace = site.client("grace")
    assert (await grace.get(ME)).json["memberships"] == [
        {"group": "optics", "role": "member", "expires_at": "2027-03-01T13:00:00.000Z"}
    ]
    assert (await grace.get("api/v1/groups/optics/events")).status == 200
    stopped_clock.forward(hours=1)
    assert (await grace.get(ME)).json["memberships"] == []
    assert (await grace.get("api/v1/groups/optics/events")).status == 403
