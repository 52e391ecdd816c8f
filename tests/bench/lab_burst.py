"""Ten labs asked for at once: when each first answers, and when all do."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.live import LOOK_SECONDS, OWNER, Door, Lab, make_labs, running_site
from tests.bench.report import Report, Target
from tests.journeys.site import Api

LABS = 10
ROUNDS = 2
ALL_READY = Target("max", 20)
PATIENCE_SECONDS = 180


def measure(report: Report) -> None:
    """Start all, wait for all, stop all; more than once."""
    each: list[float] = []
    totals: list[float] = []
    with running_site(report) as site:
        owner, door = site.api(OWNER), Door(site)
        labs = make_labs(owner, LABS)
        for _ in range(ROUNDS):
            seconds = _start_all(owner, door, labs)
            report.say("labs answered after " + ", ".join(f"{one:.1f}" for one in seconds) + " s")
            each += seconds
            totals.append(max(seconds))
            for lab in labs:
                owner.wait_for_state(lab.path, "running")
            with ThreadPoolExecutor(LABS) as pool:
                list(pool.map(lambda lab: owner.stop(lab.path), labs))
    report.add("each", "s", each)
    report.add("all", "s", totals, ALL_READY)
    report.note(f"each lab is looked at every {LOOK_SECONDS * LABS:g} s while all are starting")


def _start_all(owner: Api, door: Door, labs: list[Lab]) -> list[float]:
    """Seconds until each answered, in the order in which they did."""
    begin = time.monotonic()
    with ThreadPoolExecutor(len(labs)) as pool:
        asked = [pool.submit(owner.expect, 202, "POST", f"{lab.path}/start") for lab in labs]
        for answer in asked:
            answer.result()
    waiting, seconds = list(labs), []
    while waiting:
        lab = waiting.pop(0)
        if door.is_open(lab):
            seconds.append(time.monotonic() - begin)
        else:
            waiting.append(lab)
        assert time.monotonic() - begin < PATIENCE_SECONDS, f"{len(waiting)} labs did not start"
        time.sleep(LOOK_SECONDS)
    return seconds
