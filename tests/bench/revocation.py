"""How long what is open in a lab stays open after its owner has taken somebody out of the group."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.bench.live import OWNER, Door, Lab, make_labs, running_site
from tests.bench.report import Report, Target
from tests.journeys.site import Api, Site
from tests.lab_visitor import EMPTY, KINDS, NOTEBOOK, Visitor
from tests.waiting import wait_for

ROUNDS = 10
LEAVER = "grace"
MEMBER = f"groups/measured/members/{LEAVER}"
AT_ONCE = Target("p95", 1)


def measure(report: Report) -> None:
    """Each round somebody enters, opens a socket of each kind, and is removed."""
    with running_site(report) as site:
        owner = site.api(OWNER)
        (lab,) = make_labs(owner, 1)
        owner.start(lab.path)
        door = Door(site)
        door.enter(lab)
        with Visitor(lab.url, door.session) as stays:
            notebook = {"type": "notebook", "format": "json", "content": EMPTY}
            stays.expect("PUT", f"/api/contents/{NOTEBOOK}", data=json.dumps(notebook))
            paths = stays.paths_of_every_kind()
            rounds = [_removed(site, owner, lab, paths) for _ in range(ROUNDS)]
    for kind in KINDS:
        report.add(kind, "s", [seconds[kind] for seconds in rounds], AT_ONCE)
    report.note("from the owner's request to the portal to the end of the socket at the client")


def _removed(site: Site, owner: Api, lab: Lab, paths: dict[str, str]) -> dict[str, float]:
    """Seconds until each kind of socket was closed."""
    owner.request("PUT", MEMBER, json={"role": "member"}).raise_for_status()
    visit = site.visit(LEAVER, lab.path)
    wait_for(lambda: visit.enter() == 200, f"{LEAVER} to be let in")
    with (
        Visitor(visit.url, visit.session) as visitor,
        ThreadPoolExecutor(len(KINDS)) as executor,
    ):
        sockets = visitor.open_all(paths)
        closed = {kind: executor.submit(_closed_at, one) for kind, one in sockets.items()}
        begin = time.monotonic()
        owner.expect(204, "DELETE", MEMBER)
        return {kind: moment.result() - begin for kind, moment in closed.items()}


def _closed_at(socket: ClientConnection) -> float:
    try:
        while True:
            socket.recv(timeout=30)
    except ConnectionClosed:
        return time.monotonic()
