"""Who only watches sees everything in a lab live, and changes nothing, whatever they send."""

import hashlib
import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import served_routes
from hub_harness import PATIENCE, HubLab, HubProcess
from pycrdt import Encoder, create_sync_message, create_update_message
from websockets.exceptions import InvalidStatus

from sophon_hub import names
from sophon_hub.lab_messages import LabMessages
from sophon_hub.settings import Sophon
from tests.lab_documents import ONE_CELL, Copy
from tests.lab_kernel import execute, open_kernel
from tests.lab_visitor import NO_ACCESS, NOTEBOOK, Visitor, close_code, is_alive
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

GROUP = "physics"
AT_ONCE = 1.0
MALFORMED, COME_BACK = 1007, 1012
PEOPLE, WATCHERS = names.people_group(GROUP), names.watchers_group(GROUP)


@pytest.fixture(scope="module")
def hub(make_process_hub: Callable[..., HubProcess]) -> HubProcess:
    hub = make_process_hub(SOPHON_SPAWNER="process")
    hub.start()
    return hub


@pytest.fixture(scope="module")
def lab(hub: HubProcess) -> Iterator[HubLab]:
    lab = hub.add_lab(GROUP, "cold-atoms", "watched")
    home = hub.data_dir / "homes" / lab.uid
    home.mkdir(parents=True)
    (home / NOTEBOOK).write_text(json.dumps(ONE_CELL))
    lab.start()
    yield lab
    lab.stop()


def enter(lab: HubLab, group: str, name: str) -> Visitor:
    lab.hub.add_to_group(group, name)
    browser = lab.hub.log_in(name)
    assert lab.status_in(browser) == 200
    return Visitor(lab.url, browser)


@pytest.fixture
def name() -> str:
    """Who watches: somebody new each time."""
    return f"viewer-{secrets.token_hex(3)}"


@pytest.fixture
def watcher(lab: HubLab, name: str) -> Iterator[Visitor]:
    with enter(lab, WATCHERS, name) as visitor:
        yield visitor


@pytest.fixture
def ada(lab: HubLab) -> Iterator[Visitor]:
    """Who edits."""
    with enter(lab, PEOPLE, "ada") as visitor:
        yield visitor


@pytest.fixture
def hers(ada: Visitor) -> Copy:
    """The notebook as Ada has it."""
    return Copy(ada, ada.room())


@pytest.fixture
def theirs(hers: Copy, watcher: Visitor) -> Copy:
    """The notebook as the watcher has it."""
    return Copy(watcher, watcher.room())


def tell(lab: HubLab) -> None:
    messages = LabMessages.of(Sophon(data_dir=str(lab.hub.data_dir)))
    url = f"{lab.url}/sophon/revalidate"
    answer = requests.post(url, headers=messages.headers(urlsplit(url).path), timeout=PATIENCE)
    assert answer.status_code == 204, answer.text


def on_disk(lab: HubLab) -> str:
    return (lab.hub.data_dir / "homes" / lab.uid / NOTEBOOK).read_text()


def hear(copy: Copy, text: str, seconds: float = PATIENCE) -> None:
    wait_for(lambda: text in copy.source, f"{text} to come", seconds)


def test_who_watches_sees_what_others_write_at_once(hers: Copy, theirs: Copy) -> None:
    hers.write("# live")

    hear(theirs, "# live", AT_ONCE)


def test_nothing_that_a_watcher_writes_reaches_others_or_the_disk(
    lab: HubLab, hers: Copy, theirs: Copy
) -> None:
    theirs.write("# by the viewer")
    update = theirs.document.get_update()
    theirs.socket.send(create_update_message(update))
    theirs.socket.send(bytes([0, 1]) + create_update_message(update)[2:])  # as an answer
    save = Encoder()
    save.write_var_uint(2)
    save.write_var_string("save")
    save.write_var_uint(1)
    theirs.socket.send(save.to_bytes())
    mark = f"# {secrets.token_hex(4)}"

    hers.write(mark)

    hear(theirs, mark, AT_ONCE)
    wait_for(lambda: mark in on_disk(lab), "Ada's words to be saved")
    assert "viewer" not in hers.source
    assert "viewer" not in on_disk(lab)
    assert is_alive(theirs.socket)


def test_a_watcher_has_no_kernel_no_terminal_and_no_second_room(
    ada: Visitor, watcher: Visitor, hers: Copy
) -> None:
    paths = ada.paths_of_every_kind()
    room, _, session = paths["document"].partition("?")
    number = room.rpartition(":")[2]
    for path in (
        paths["kernel"],
        paths["terminal"],
        f"/api/collaboration/room/text:file:{number}?{session}",
        f"/api/collaboration/room/json:file:{number}?{session}",
        f"/api/collaboration/room/json%3Anotebook%3A{number}?{session}",
        f"/api/collaboration/room/json:notebook:unknown?{session}",
        "/api/collaboration/room/anything",
        "/lsp/ws/pyright",
    ):
        with pytest.raises(InvalidStatus, match="403"):
            watcher.socket(path)

    assert is_alive(watcher.socket(paths["events"]))
    assert is_alive(watcher.socket(paths["awareness"]))
    assert watcher.expect("GET", "/api/kernels") == []
    assert watcher.expect("GET", "/api/sessions") == []


@pytest.mark.parametrize(
    "message",
    [
        "a text",
        b"",
        b"\x00",
        b"\x00\x00",
        b"\x00\x03\x00",
        b"\x00\x00\x02\x01\x01\x01",
        b"\x00\x00\x05\x01\x01\x01",
        b"\x00\x00\x0c\x01" + b"\xff" * 10 + b"\x01",
        b"\x01\x02\x01\x01",
        b"\x01\x05\x01\x07\x01\x01{",
        b"\x80\x00\x02",
        b"\x07",
        b"\x7d\x00",
    ],
)
def test_who_does_not_keep_to_the_protocol_is_closed_and_nobody_else(
    hers: Copy, theirs: Copy, message: bytes | str
) -> None:
    theirs.socket.send(message)

    assert close_code(theirs.socket, PATIENCE) == MALFORMED
    hers.listen()
    assert is_alive(hers.socket)


def test_a_watcher_is_seen_under_their_own_name_only(hers: Copy, theirs: Copy, name: str) -> None:
    mine = hers.say_who(user={"username": "ada", "name": "Ada"}, cursors=[1])
    wait_for(lambda: theirs.listen() and mine in theirs.states, "Ada to be seen")

    forged = theirs.say_who(4711, user={"username": "ada", "name": "Ada"})
    over_her = theirs.say_who(mine, user={"username": name}, cursors=["gone"])
    own = theirs.say_who(user={"username": name, "name": "Root"}, autosave=True)

    wait_for(lambda: hers.listen() and own in hers.states, "the watcher to be seen")
    assert forged not in hers.states
    assert over_her == mine
    assert hers.states[mine]["cursors"] == [1]
    assert hers.states[own]["user"]["username"] == name
    assert hers.states[own]["user"]["name"] == name
    assert hers.states[own]["user"]["display_name"].endswith("(watching)")
    assert hers.states[own]["autosave"] is False


def test_who_is_made_a_viewer_loses_what_is_open_and_then_only_watches(
    lab: HubLab, name: str, hers: Copy
) -> None:
    with enter(lab, PEOPLE, name) as visitor:
        paths = visitor.paths_of_every_kind()
        copy, terminal = Copy(visitor, paths["document"]), visitor.socket(paths["terminal"])
        copy.write("# as a member")
        hear(hers, "# as a member")

        lab.hub.add_to_group(WATCHERS, name)
        lab.hub.remove_from_group(PEOPLE, name)
        tell(lab)

        assert close_code(copy.socket, AT_ONCE) == NO_ACCESS
        assert close_code(terminal, AT_ONCE) == NO_ACCESS
        with pytest.raises(InvalidStatus, match="403"):
            visitor.socket(paths["terminal"])
        again = Copy(visitor, paths["document"])
        again.write("# as a viewer")
        hers.write("# afterwards")
        hear(again, "# afterwards")
        assert "as a viewer" not in hers.source


def test_who_is_made_a_member_edits_without_coming_in_again(
    lab: HubLab, name: str, watcher: Visitor, hers: Copy, theirs: Copy
) -> None:
    assert watcher.expect("GET", "/sophon/mode") == {"mode": "watch"}
    lab.hub.add_to_group(PEOPLE, name)
    lab.hub.remove_from_group(WATCHERS, name)
    tell(lab)

    assert watcher.expect("GET", "/sophon/mode") == {"mode": "edit"}
    assert close_code(theirs.socket, AT_ONCE) == COME_BACK
    again = Copy(watcher, watcher.room())
    again.write("# now a member")
    hear(hers, "# now a member")
    assert watcher.request("POST", "/api/terminals").status_code == 200


def test_while_a_lab_is_locked_all_but_who_locked_it_only_watch(
    lab: HubLab, name: str, ada: Visitor, hers: Copy
) -> None:
    lock = names.lock_group("cold-atoms", "watched")
    with enter(lab, PEOPLE, name) as visitor, enter(lab, PEOPLE, "root-admin") as admin:
        paths = visitor.paths_of_every_kind()
        copy, terminal = Copy(visitor, paths["document"]), visitor.socket(paths["terminal"])
        over = Copy(admin, admin.room())

        lab.hub.add_to_group(names.lock_group("cold-atoms", "another"), lab.owner)
        lab.hub.add_to_group(lock, lab.owner, "ada")
        tell(lab)

        assert close_code(copy.socket, AT_ONCE) == NO_ACCESS
        assert close_code(terminal, AT_ONCE) == NO_ACCESS
        assert close_code(over.socket, AT_ONCE) == NO_ACCESS
        assert admin.request("POST", "/api/terminals").status_code == 403
        assert is_alive(hers.socket)
        again = Copy(visitor, paths["document"])
        again.write("# in spite of the lock")
        hers.write("# locked")
        hear(again, "# locked")
        assert "in spite of" not in hers.source

        lab.hub.expect("DELETE", f"/groups/{lock}")
        tell(lab)

        assert close_code(again.socket, AT_ONCE) == COME_BACK
        last = Copy(visitor, paths["document"])
        last.write("# unlocked")
        hear(hers, "# unlocked")


def test_no_route_of_the_image_lets_a_watcher_change_anything(
    lab: HubLab, ada: Visitor, hers: Copy, watcher: Visitor, tmp_path: Path
) -> None:
    environment = {"HOME": str(tmp_path), "PATH": str(Path(sys.executable).parent)}
    told = subprocess.run(
        [sys.executable, "-c", served_routes.TELL],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    patterns = served_routes.patterns(told)
    assert len(patterns) > 60
    made, known = served_routes.what_is_there(ada)
    home = lab.hub.data_dir / "homes" / lab.uid
    mark = f"# {secrets.token_hex(4)}"
    hers.write(mark)
    wait_for(lambda: mark in on_disk(lab), "Ada's words to be saved")
    source, before = hers.source, contents(home)

    assert served_routes.taken(watcher, served_routes.paths(patterns, known)) == {}
    assert contents(home) == before
    assert hers.source == source
    assert is_alive(hers.socket)
    assert ada.expect("GET", "/api/sessions")[0]["id"] == made["id"]
    assert ada.expect("GET", f"/api/kernels/{made['kernel']['id']}")["id"] == made["kernel"]["id"]


def contents(home: Path) -> dict[str, str]:
    """What the files that people see hold; what the server notes for itself is left out."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(home).parts)
    }


def test_files_are_shown_as_read_only_to_who_watches(ada: Visitor, watcher: Visitor) -> None:
    assert ada.expect("GET", f"/api/contents/{NOTEBOOK}?content=0")["writable"] is True
    assert watcher.expect("GET", f"/api/contents/{NOTEBOOK}?content=0")["writable"] is False
    folder = watcher.expect("GET", "/api/contents")
    assert {entry["writable"] for entry in folder["content"]} == {False}
    assert "Watching - JupyterLab" in watcher.request("GET", "/lab").text
    for sign in ("Watching", '"notebookStartsKernel": "false"'):
        assert sign in watcher.request("GET", "/lab").text
        assert sign not in ada.request("GET", "/lab").text


def pulse(lab: HubLab) -> dict[str, Any]:
    """What the lab says when the hub asks."""
    url = f"{lab.url}/sophon/pulse"
    messages = LabMessages.of(Sophon(data_dir=str(lab.hub.data_dir)))
    headers = messages.headers(urlsplit(url).path)
    answer = requests.post(url, headers=headers, timeout=PATIENCE)
    answer.raise_for_status()
    said: dict[str, Any] = answer.json()
    return said


def people_in(lab: HubLab) -> list[str]:
    people: list[str] = pulse(lab)["people"]
    return people


def test_the_lab_tells_the_hub_and_nobody_else_who_is_in_it_now(
    lab: HubLab, ada: Visitor, watcher: Visitor, name: str
) -> None:
    wait_for(lambda: people_in(lab) == [], "those of other tests to be gone")
    awareness = "/api/collaboration/room/JupyterLab:globalAwareness"
    hers = ada.socket(awareness)
    ada.socket("/api/events/subscribe")
    assert people_in(lab) == ["ada"]
    theirs = watcher.socket(awareness)
    assert people_in(lab) == ["ada", name]

    theirs.close()
    wait_for(lambda: people_in(lab) == ["ada"], "the watcher to be gone")
    hers.close()
    assert people_in(lab) == ["ada"]
    for visitor in (ada, watcher):
        assert visitor.request("POST", "/sophon/pulse").status_code == 403


def test_nobody_who_edits_is_seen_under_another_name(
    lab: HubLab, hers: Copy, theirs: Copy, name: str
) -> None:
    mine = hers.say_who(user={"username": "ada", "name": "Ada"}, cursors=[1])
    wait_for(lambda: theirs.listen() and mine in theirs.states, "Ada to be seen")
    with enter(lab, PEOPLE, f"mallory-{name}") as visitor:
        mallory = Copy(visitor, visitor.room())
        before = mallory.say_who(4710, user={"username": "ada", "name": "Ada"})
        over_her = mallory.say_who(mine, user={"username": "ada"}, cursors=["gone"])
        own = mallory.say_who(user={"username": f"mallory-{name}", "display_name": "Ada"})
        wait_for(lambda: theirs.listen() and own in theirs.states, "Mallory to be seen")
        after = mallory.say_who(4711, user={"username": "ada"})
        mallory.say_who(user={"username": "ada", "name": "Ada", "initials": "AL"}, cursors=[7])

        wait_for(
            lambda: theirs.listen() and theirs.states[own].get("cursors"), "what came last to come"
        )
        hers.listen()
        for copy in (hers, theirs):
            user = copy.states[own]["user"]
            assert {user["username"], user["name"], user["display_name"]} == {f"mallory-{name}"}
            assert user["initials"] is None
            assert not {before, after} & set(copy.states)
            assert copy.states[over_her]["cursors"] == [1]
        log = lab.hub.log()
        assert log.count(f"mallory-{name} claimed to be 'ada' in a document") == 1


def test_somebody_who_comes_back_is_seen_as_the_same_client(hers: Copy, ada: Visitor) -> None:
    user = {"username": "ada"}
    first = hers.say_who(4713, user=user, cursors=[1])
    wait_for(lambda: hers.listen() and first in hers.states, "Ada to be seen")
    hers.socket.close()
    again = Copy(ada, ada.room())

    again.say_who(4713, user=user, cursors=[2, 3])
    again.say_who(4713, cursors=[2, 3])

    wait_for(lambda: again.listen() and first in again.states, "Ada to be seen again")
    assert again.states[first]["user"]["username"] == "ada"


def test_an_awareness_message_that_is_none_closes_its_own_socket_only(
    lab: HubLab, hers: Copy, theirs: Copy, name: str
) -> None:
    with enter(lab, PEOPLE, f"mallory-{name}") as visitor:
        mallory = Copy(visitor, visitor.room())
        mallory.socket.send(b"\x01\x02\x01\x01")
        assert close_code(mallory.socket, PATIENCE) == MALFORMED
    assert is_alive(hers.socket)
    assert is_alive(theirs.socket)


def test_work_is_what_people_edit_type_and_run_and_nothing_else(
    lab: HubLab, ada: Visitor, watcher: Visitor, hers: Copy, theirs: Copy, name: str
) -> None:
    def idle() -> float:
        return float(pulse(lab)["idle_seconds"])

    def rest() -> float:
        """Wait until work can be told from none."""
        return float(wait_for(lambda: (seconds := idle()) > 0.5 and seconds, "nobody to work"))

    number, kernel = open_kernel(ada)
    terminal = ada.expect("POST", "/api/terminals")["name"]
    shell = ada.socket(f"/terminals/websocket/{terminal}")
    before = rest()
    hers.say_who(user={"username": "ada"})
    hers.socket.send(create_sync_message(hers.document))
    theirs.write("# by the viewer")
    for visitor, path in ((ada, "/api/contents"), (watcher, "/api/kernels"), (ada, "/lab")):
        assert visitor.request("GET", path).ok
    shell.send(json.dumps(["set_size", 40, 100]))
    assert watcher.request("POST", "/sophon/keep").status_code == 403
    ada.socket("/api/events/subscribe")
    hers.listen()
    assert all(map(is_alive, (hers.socket, theirs.socket, shell)))
    assert idle() > before

    file = {"type": "file", "format": "text", "content": "x"}
    for work in (
        lambda: hers.write("# live"),
        lambda: shell.send(json.dumps(["stdin", "true\n"])),
        lambda: ada.expect("PUT", "/api/contents/new.txt", json=file),
        lambda: ada.expect("POST", "/sophon/keep"),
        lambda: execute(kernel, "6 * 7"),
    ):
        before = rest()
        work()
        wait_for(lambda before=before: idle() < before, "the work to be noticed")
    ada.expect("DELETE", f"/api/kernels/{number}")
    ada.expect("DELETE", f"/api/terminals/{terminal}")


def test_a_lab_is_busy_while_a_kernel_or_a_program_in_a_terminal_runs(
    lab: HubLab, ada: Visitor
) -> None:
    wait_for(lambda: not pulse(lab)["busy"], "kernels of other tests to end")
    number, kernel = open_kernel(ada)
    execute(kernel, "import time; time.sleep(3600)")
    wait_for(lambda: pulse(lab)["busy"], "the kernel to calculate")
    ada.expect("DELETE", f"/api/kernels/{number}")
    wait_for(lambda: not pulse(lab)["busy"], "nothing to run")

    terminal = ada.expect("POST", "/api/terminals")["name"]
    shell = ada.socket(f"/terminals/websocket/{terminal}")
    shell.send(json.dumps(["stdin", "sleep 3600\n"]))
    wait_for(lambda: pulse(lab)["busy"], "the program to run")
    shell.send(json.dumps(["stdin", "\x03"]))
    wait_for(lambda: not pulse(lab)["busy"], "the program to end")
    ada.expect("DELETE", f"/api/terminals/{terminal}")
