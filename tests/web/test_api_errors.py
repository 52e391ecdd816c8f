"""Errors: one shape, the right status, and nothing told that is not to be known."""

import asyncio
import itertools
import json
import re
from urllib.parse import quote

import pytest

from sophon_hub.api import openapi
from sophon_hub.api.operation import operations_of
from sophon_hub.web.body import MAX_BODY, MAX_DRAINED
from tests import make
from tests.web import world
from tests.web.conftest import PREFIX, Site

ALL_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
GROUPS = "api/v1/groups"
JSON = {"Content-Type": "application/json"}
PATHS = {path: set(operations_of(handler)) for path, _, handler in openapi.routes()}


async def test_an_error_is_a_problem_document(busy_site: Site):
    answer = await busy_site.client("barbara").patch(f"{GROUPS}/public", {"name": "Mine"})
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "You may not do this (group:edit): it takes at least owner of the group.",
    }


@pytest.mark.parametrize("path", sorted(PATHS))
async def test_other_methods_are_405_and_told_which_there_are(busy_site: Site, path: str):
    address = "api/v1" + re.sub(r"\{\w+\}", "public", path)
    taken = {method.upper() for method in PATHS[path]}
    if "GET" in taken:
        taken.add("HEAD")
    for method in {*ALL_METHODS, "HEAD", "OPTIONS", "TRACE", "BREW"} - taken:
        answer = await busy_site.client("ada").request(method, address)
        assert answer.status == 405, method
        assert set(answer.headers["Allow"].split(", ")) == taken


@pytest.mark.parametrize(
    "path", sorted(path for path, methods in PATHS.items() if "get" in methods)
)
async def test_head_answers_as_get_without_a_body(busy_site: Site, path: str):
    query = {"/users": "?q=ada", "/projects/{project}/explain": "?permission=lab:open"}
    for kind in ("group", "project", "dataset"):
        query[f"/{kind}s/{{{kind}}}/preview"] = "?change=delete"
    address = "api/v1" + re.sub(r"\{lab\}", "bench", re.sub(r"\{project\}", "public-work", path))
    names = {"group": "public", "username": "grace", "dataset": "public-data"}
    names |= {"version": make.SECOND_VERSION, "since": make.FIRST_VERSION}
    address = address.format(**names) + query.get(path, "")
    client = busy_site.client("root" if path == "/metrics" else "ada")
    with busy_site.rows() as session:
        world.material_in_homes(world.corner(session, "public"))
        world.history_kept(world.corner(session, "public"))
    get, head = await client.get(address), await client.request("HEAD", address)
    assert (head.status, head.text) == (200, "")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


@pytest.mark.parametrize("method", [*ALL_METHODS, "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/groups/", "/groups/public/", "/groups/public/join/", "/v2"]
)
async def test_what_is_no_address_is_404(busy_site: Site, method: str, path: str):
    assert (await busy_site.client("ada").request(method, f"api/v1{path}")).status == 404


TRICKS = [
    "..",
    ".",
    "%2e%2e",
    "%2E%2E%2Fprivate",
    "private%2F",
    "private%2Fmembers",
    "private%00",
    "private%20",
    "%20private",
    "private%0a",
    "private;a=b",
    "private%3Fa",
    "private%23",
    "PRIVATE",
    "Private",
    "private-",
    "-private",
    "pri--vate",
    "private.json",
    "private%5c",
    "%70rivate",
    quote("\u0440rivate"),
    quote("private\u200b"),
    quote("\uff50rivate"),
    quote("'; DROP TABLE people; --"),
    quote("<script>alert(1)</script>"),
    "%ff",
    "%ed%a0%80",
    "%",
    "%zz",
    "*",
    "a" * 65,
    "a" * 5000,
]


@pytest.mark.parametrize("who", [None, "barbara"])
@pytest.mark.parametrize("trick", TRICKS)
async def test_no_trick_in_a_path_finds_what_is_hidden(
    busy_site: Site, who: str | None, trick: str
):
    client = busy_site.client(who)
    reference = await client.get(f"{GROUPS}/nowhere")
    for path in (
        f"{GROUPS}/{trick}",
        f"{GROUPS}/{trick}/members",
        f"api/v1/projects/{trick}-work",
        f"api/v1/projects/private-work/labs/{trick}",
        f"api/v1/projects/{trick}/labs/bench",
    ):
        answer = await client.get(path)
        if answer.status != 400:
            assert answer.told == reference.told, path


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("trick", TRICKS)
async def test_no_trick_in_a_user_name_finds_somebody(busy_site: Site, trick: str, method: str):
    ada = busy_site.client("ada")
    body = {"role": "owner"} if method == "PUT" else None
    before = busy_site.hub.requests.copy()
    answer = await ada.request(method, f"{GROUPS}/public/members/{trick}", body)
    assert answer.status in {400, 404, 422}
    asked = [path for path in busy_site.hub.requests[len(before) :] if path != "/hub/api/user"]
    assert all(re.fullmatch(r"/hub/api/users/[^/]+", path) for path in asked), asked
    assert busy_site.count_events() == 0


async def test_hidden_and_missing_give_the_same_answer_to_the_last_header(busy_site: Site):
    for client in (busy_site.client(), busy_site.client("barbara")):
        answers = [
            await client.get(path)
            for path in (
                f"{GROUPS}/private",
                f"{GROUPS}/nowhere",
                f"{GROUPS}/NO",
                "api/v1/nothing/at/all",
                "api/v1/projects/private-work",
                "api/v1/projects/private-work/labs/bench",
                "api/v1/projects/private-work/labs/other",
                "api/v1/projects/nowhere/labs/bench",
            )
        ]
        assert len({str(answer.told) for answer in answers}) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"nul",
        b"{'name': 'a'}",
        b'{"name": "a",}',
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": "\xff"}',
        b'\xef\xbb\xbf{"name": "a"}',
        '{"name": "a"}'.encode("utf-16"),
        b'{"name": "a", "name": "b"}',
        b'{"name": "a"}{"name": "b"}',
        b'{"name": "a\nb"}',
        b"[" * 100_000,
        b'{"name":' * 50_000,
        b'{"name": ' + b"1" * 10_000 + b"}",
        b"\x00",
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_what_is_not_json_is_400(site: Site, body: bytes):
    answer = await site.client("ada").post(GROUPS, headers=JSON, body=body)
    # no body at all is an object without fields
    assert answer.status == (400 if body else 422)
    assert site.count_events() == 0


@pytest.mark.parametrize("body", [[], [{"name": "a"}], "a", 1, 1.5, True, [[]]])
async def test_json_that_is_no_object_is_422(site: Site, body: object):
    answer = await site.client("ada").post(GROUPS, headers=JSON, body=json.dumps(body).encode())
    assert answer.wrong_fields == {"body"}


async def test_null_is_no_object_either(site: Site):
    answer = await site.client("ada").post(GROUPS, headers=JSON, body=b"null")
    assert answer.wrong_fields == {"body"}


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/xml",
        "json",
    ],
)
async def test_what_does_not_say_it_is_json_is_415(site: Site, kind: str | None):
    headers = {} if kind is None else {"Content-Type": kind}
    answer = await site.client("ada").post(GROUPS, headers=headers, body=b'{"name": "Optics"}')
    assert answer.status == 415


async def test_json_may_name_its_encoding_and_be_written_otherwise(site: Site):
    headers = {"Content-Type": "Application/JSON; charset=UTF-8"}
    answer = await site.client("ada").post(GROUPS, headers=headers, body=b'{"name": "Optics"}')
    assert answer.status == 201


async def test_packed_json_is_415(site: Site):
    headers = {**JSON, "Content-Encoding": "gzip"}
    answer = await site.client("ada").post(GROUPS, headers=headers, body=b'{"name": "Optics"}')
    assert answer.status == 415


async def test_what_takes_no_fields_refuses_them(busy_site: Site):
    ada = busy_site.client("ada")
    for method, path in (
        ("POST", f"{GROUPS}/public/leave"),
        ("DELETE", f"{GROUPS}/public"),
        ("POST", "api/v1/projects/public-work/labs/bench/start"),
    ):
        assert (await ada.request(method, path, {"force": True})).wrong_fields == {"force"}
    assert busy_site.count_events() == 0


@pytest.mark.parametrize(
    "path", sorted(path for path, methods in PATHS.items() if "get" in methods)
)
async def test_unknown_query_arguments_are_422(busy_site: Site, path: str):
    address = "api/v1" + path.format(
        group="public",
        project="public-work",
        lab="bench",
        username="grace",
        dataset="public-data",
        version=make.SECOND_VERSION,
        since=make.FIRST_VERSION,
    )
    answer = await busy_site.client("ada").get(f"{address}?visibilty=public&%C3%A4=1")
    assert answer.status == 422
    assert [error["field"] for error in answer.json["errors"]] == ["visibilty", "Ã¤"]


async def test_an_argument_may_be_given_once(busy_site: Site):
    ada = busy_site.client("ada")
    for query in ("q=a&q=b", "limit=1&limit=2", "mine=true&mine=false", "cursor=a&cursor=b"):
        assert (await ada.get(f"{GROUPS}?{query}")).wrong_fields == {query.partition("=")[0]}


async def test_an_argument_that_is_not_utf_8_is_400(busy_site: Site):
    assert (await busy_site.client("ada").get(f"{GROUPS}?q=%ff")).status == 400


@pytest.mark.parametrize("query", ["mine=1", "mine=", "mine=True", "trash=yes", "access=closed"])
async def test_an_argument_of_another_kind_is_422(busy_site: Site, query: str):
    wrong = {query.partition("=")[0]}
    assert (await busy_site.client("ada").get(f"{GROUPS}?{query}")).wrong_fields == wrong


async def test_fields_are_quoted_in_errors_whatever_they_are_called(site: Site):
    body = b'{"<b>": 1, "\\u0000": 2, "\xc3\xa4": 3, "name": "a"}'
    answer = await site.client("ada").post(GROUPS, headers=JSON, body=body)
    assert answer.wrong_fields == {"<b>", "\x00", "ä"}


async def test_a_field_whose_name_is_no_text_is_422(site: Site):
    body = b'{"\\ud800": 1, "name": "a"}'
    answer = await site.client("ada").post(GROUPS, headers=JSON, body=body)
    assert answer.wrong_fields == {"body"}


async def raw(site: Site, head: str, *pieces: bytes) -> tuple[int, bytes]:
    """Send a request by hand; status and body of the answer."""
    port = int(site.url.split(":")[2].partition("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    token = site.hub.token("ada")
    lines = [f"POST {PREFIX}{GROUPS} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"Authorization: Bearer {token}", "Content-Type: application/json", head, "", ""]
    writer.write("\r\n".join(lines).encode())
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        answer = await reader.read()
    finally:
        writer.close()
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def test_a_body_of_one_mebibyte_is_read_and_a_byte_more_is_413(site: Site):
    ada = site.client("ada")
    body = b'{"nope": "' + b"a" * (MAX_BODY - 12) + b'"}'
    assert len(body) == MAX_BODY
    assert (await ada.post(GROUPS, headers=JSON, body=body)).status == 422
    answer = await ada.post(GROUPS, headers=JSON, body=body + b" ")
    assert answer.status == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_large_body_in_pieces_is_413_however_it_is_sent(site: Site):
    piece = b"a" * 65536
    pieces = [chunk(piece)] * (MAX_BODY // len(piece) + 1)
    status, body = await raw(site, "Transfer-Encoding: chunked", *pieces, chunk(b""))
    assert (status, json.loads(body)["status"]) == (413, 413)


async def test_a_body_that_does_not_come_to_an_end_is_cut_off(site: Site):
    pieces = itertools.repeat(chunk(b"a" * 65536))
    with pytest.raises(ConnectionError):
        await raw(site, "Transfer-Encoding: chunked", *itertools.islice(pieces, 1000))


@pytest.mark.parametrize("length", [MAX_BODY + 1, MAX_DRAINED + 1, 10**15])
async def test_who_asks_first_whether_to_send_is_told_not_to(site: Site, length: int):
    status, _ = await raw(site, f"Content-Length: {length}\r\nExpect: 100-continue")
    assert status == 413


async def test_what_is_announced_as_far_too_large_is_refused_at_once(site: Site):
    status, _ = await raw(site, f"Content-Length: {MAX_DRAINED + 1}")
    assert status == 413


@pytest.mark.parametrize("length", ["x", "-1", "1, 2", "0x10"])
async def test_a_length_that_is_none_is_400(site: Site, length: str):
    status, _ = await raw(site, f"Content-Length: {length}")
    assert status == 400


async def test_without_the_database_everything_is_503(busy_site: Site):
    ada = busy_site.client("ada")
    assert (await ada.get(GROUPS)).status == 200
    with busy_site.without_database():
        for answer in (
            await ada.get(GROUPS),
            await ada.post(GROUPS, {"name": "Optics"}),
            await busy_site.client("newcomer").get("api/v1/me"),
            await busy_site.client().get("api/v1/projects"),
        ):
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert "sqlite" not in answer.text.lower()


async def test_a_mistake_of_ours_is_500_and_tells_nothing(busy_site: Site, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret of the database")

    monkeypatch.setattr("sophon_hub.web.present.instance", broken)
    client = busy_site.client()
    client.contract = None
    answer = await client.get("api/v1/instance")
    assert answer.status == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "secret" not in answer.text
