"""JupyterLab's files for all labs: kept for ever by browsers, and nothing else is given."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from sophon_hub.lab_static import LabStatic, Taken, Unusual
from tests.web.conftest import Site

APP_DIR = "/opt/lab/share/jupyter/lab"
SCRIPT = b"console.log('a lab');\n" * 1000
FONT = bytes(range(256))
FILES = {
    "main.0123abcd.js": SCRIPT,
    "letters.woff2": FONT,
    "picture.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "package.json": b"{}",
    "strange.thing": b"?",
    "index.html": b"{{ page_config }}",
}
FIRST, SECOND = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def archive(files: Mapping[str, bytes], *, folder: str = "static") -> io.BytesIO:
    """As the engine gives a folder of an image."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        top = tarfile.TarInfo(folder)
        top.type = tarfile.DIRTYPE
        tar.addfile(top)
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed


@pytest.fixture
def shelf(tmp_path: Path) -> LabStatic:
    return LabStatic(tmp_path / "lab-static")


@pytest.fixture
def digest(busy_site: Site) -> str:
    """The files are with the portal."""
    return LabStatic.of(busy_site.portal.settings).keep(FIRST, APP_DIR, archive(FILES)).digest


async def fetch(site: Site, path: str, *, method: str = "GET", packed: bool = True) -> HTTPResponse:
    """What a browser gets, as it comes over the network."""
    headers = {"Accept-Encoding": "gzip, br"} if packed else {}
    return await AsyncHTTPClient().fetch(
        f"{site.url}lab-static/{path}",
        method=method,
        headers=headers,
        decompress_response=False,
        raise_error=False,
    )


@pytest.mark.parametrize(
    ("name", "kind", "is_packed"),
    [
        ("main.0123abcd.js", "text/javascript", True),
        ("picture.svg", "image/svg+xml", True),
        ("package.json", "application/json", True),
        ("letters.woff2", "font/woff2", False),
        ("strange.thing", "application/octet-stream", False),
    ],
)
async def test_a_file_comes_as_it_is_in_the_image_and_may_be_kept_for_ever(
    busy_site: Site, digest: str, name: str, kind: str, is_packed: bool
) -> None:
    sent = await fetch(busy_site, f"{digest}/{name}")
    plain = await fetch(busy_site, f"{digest}/{name}", packed=False)

    assert (sent.code, plain.code) == (200, 200)
    assert (sent.headers.get("Content-Encoding") == "gzip") is is_packed
    assert "Content-Encoding" not in plain.headers
    assert (gzip.decompress(sent.body) if is_packed else sent.body) == FILES[name]
    assert plain.body == FILES[name]
    for answer in (sent, plain):
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert not answer.headers.get_list("Set-Cookie")


async def test_who_asks_for_the_headers_gets_no_content(busy_site: Site, digest: str) -> None:
    answer = await fetch(busy_site, f"{digest}/main.0123abcd.js", method="HEAD")

    assert (answer.code, answer.body) == (200, b"")
    assert 0 < int(answer.headers["Content-Length"]) < len(SCRIPT)


@pytest.mark.parametrize(
    "path",
    [
        "{digest}/index.html",
        "{digest}/other.js",
        "{digest}/",
        "{digest}/plain/letters.woff2",
        "{digest}/..%2F..%2Fportal-cookie-secret",
        "{digest}/%2e%2e/%2e%2e/portal-cookie-secret",
        "../portal-cookie-secret",
        "images/" + "1" * 64,
        "0" * 64 + "/main.0123abcd.js",
        "",
    ],
)
async def test_nothing_else_is_given_and_a_refusal_is_not_kept(
    busy_site: Site, digest: str, path: str
) -> None:
    assert (busy_site.portal.settings.data_path / "portal-cookie-secret").is_file()

    answer = await fetch(busy_site, path.format(digest=digest))

    assert answer.code == 404
    assert answer.headers["Cache-Control"] == "no-store"


async def test_only_a_missing_file_is_in_the_log(
    busy_site: Site, digest: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="tornado.access"):
        for name in ("picture.svg", "missing.svg"):
            await fetch(busy_site, f"{digest}/{name}")

    assert [name for name in ("picture", "missing") if name in caplog.text] == ["missing"]


def test_images_with_the_same_files_share_them(shelf: LabStatic) -> None:
    taken = shelf.keep(FIRST, APP_DIR, archive(FILES))
    other_way_round = archive(dict(reversed(FILES.items())))
    changed = archive({**FILES, "main.0123abcd.js": SCRIPT + b"\n"})

    assert shelf.keep(SECOND, APP_DIR, other_way_round) == taken == shelf.taken(FIRST)
    assert shelf.keep(SECOND, APP_DIR, changed).digest != taken.digest


def test_files_go_with_the_last_image_that_has_them(shelf: LabStatic) -> None:
    kept = shelf.keep(FIRST, APP_DIR, archive(FILES))
    gone = shelf.keep(SECOND, APP_DIR, archive({"other.js": b"1"}))
    (shelf.root / ".new-left-by-a-killed-hub").mkdir()

    shelf.tidy(FIRST.endswith)

    assert shelf.taken(SECOND) is None
    assert shelf.read(gone.digest, "other.js") is None
    assert shelf.read(kept.digest, "main.0123abcd.js")
    assert {path.name for path in shelf.root.iterdir()} == {"images", kept.digest}


def test_what_was_lost_or_damaged_is_taken_anew(shelf: LabStatic) -> None:
    taken = shelf.keep(FIRST, APP_DIR, archive(FILES))
    (shelf.root / taken.digest).rename(shelf.root / "elsewhere")
    assert shelf.taken(FIRST) is None

    assert shelf.keep(FIRST, APP_DIR, archive(FILES)) == taken == shelf.taken(FIRST)

    note = next((shelf.root / "images").iterdir())
    for damaged in ("", "[", '{"some": "thing"}'):
        note.write_text(damaged)
        assert shelf.taken(FIRST) is None


def test_an_image_without_jupyterlab_is_not_looked_at_twice(shelf: LabStatic) -> None:
    shelf.note(FIRST, Taken())

    assert shelf.taken(FIRST) == Taken()


@pytest.mark.parametrize("name", ["deeper/x.js", "../x.js", ".hidden", "a b.js"])
def test_a_folder_that_is_not_jupyterlabs_is_not_shared(shelf: LabStatic, name: str) -> None:
    with pytest.raises(Unusual):
        shelf.keep(FIRST, APP_DIR, archive({**FILES, name: b""}))

    assert list(shelf.root.iterdir()) == []


def test_a_folder_with_a_link_or_with_nothing_is_not_shared(shelf: LabStatic) -> None:
    linked = io.BytesIO()
    with tarfile.open(fileobj=linked, mode="w") as tar:
        entry = tarfile.TarInfo("static/link.js")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    linked.seek(0)

    for packed in (linked, archive({})):
        with pytest.raises(Unusual):
            shelf.keep(FIRST, APP_DIR, packed)
