"""How long the Hub takes to say who has a token and what it may do, with 10,000 people in it.

Portal and labs ask ``GET /hub/api/user`` with somebody's token. The people and the 100 research
groups, each with its hub groups and role, are written into the Hub's database while it is
stopped, which only a measurement may do.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

from jupyterhub import orm
from sqlalchemy import insert

from sophon_hub import names
from sophon_hub.spawner.access import ensure_role
from tests.bench.live import end, prepared_site
from tests.bench.report import Report
from tests.journeys.site import Site
from tests.waiting import free_port, wait_for

PEOPLE = 10_000
GROUPS = 100
PEOPLE_IN_A_GROUP = 100
ACCOUNTS_IN_A_GROUP = 10
OWN_GROUPS = 10
MEMBER = "grace"
REQUESTS = 300
WARM_UP = 20
WORKER_SECONDS = 180


def measure(report: Report) -> None:
    """Ask a Hub with few people, fill it, ask it again."""
    port = free_port()
    environment = {
        "SOPHON_SPAWNER": "process",
        "SOPHON_HUB_PORT": str(port),
        "SOPHON_RECONCILE_SECONDS": "86400",
    }
    with prepared_site(environment) as site:
        report.say("starting a hub")
        site.start()
        report.add("few_people", "ms", _ask(port, [_token(site)] * REQUESTS))
        end(site)
        report.say(f"writing {PEOPLE} people and {GROUPS} research groups into its database")
        tokens = _fill(site)
        begin = time.monotonic()
        site.start()
        report.add("start_with_many_people", "s", [time.monotonic() - begin])
        report.say("waiting until the worker has looked at everybody")
        begin = time.monotonic()
        _wait_for_worker(site)
        report.add("worker_looks_at_everybody", "s", [time.monotonic() - begin])
        _ask(port, [_token(site)] * WARM_UP)
        report.add("many_people.first_request_of_each", "ms", _ask(port, tokens))
        report.add("many_people", "ms", _ask(port, tokens))
    report.note(
        f"asked about {len(tokens)} people in turns, each in {OWN_GROUPS} of {GROUPS} research"
        f" groups, which have {PEOPLE_IN_A_GROUP} people or more and {ACCOUNTS_IN_A_GROUP}"
        " collaboration accounts each; at the first request in 30 seconds the Hub also writes"
        " down that the person is active"
    )


def _token(site: Site) -> str:
    return str(site.api(MEMBER).session.headers["Authorization"]).removeprefix("Bearer ")


def _ask(port: int, tokens: list[str]) -> list[float]:
    """Milliseconds of requests straight to the Hub, on one connection, as services send them."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    times = []
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"}
        begin = time.perf_counter()
        connection.request("GET", "/hub/api/user", headers=headers)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - begin) * 1000)
        assert answer.status == 200, answer.status
    connection.close()
    return times


@contextmanager
def _hub_database(site: Site) -> Iterator[Any]:
    """A session of the database of a Hub that does not run."""
    make_session = orm.new_session_factory(f"sqlite:///{site.data_dir}/jupyterhub.sqlite")
    with make_session() as session:
        yield session
        session.commit()
        engine = session.get_bind()
    engine.dispose()


def _fill(site: Site) -> list[str]:
    """Everybody with the role that the Hub gives to users, and the groups as the spawner does.

    Gives tokens of the first people, who are in `OWN_GROUPS` research groups each.
    """
    chance = random.Random(1)
    accounts = [
        names.account_name(f"project{number}") for number in range(GROUPS * ACCOUNTS_IN_A_GROUP)
    ]
    people = [f"person{number:05}" for number in range(PEOPLE)]
    with _hub_database(site) as db:
        db.execute(insert(orm.User), [{"name": name} for name in (*people, *accounts)])
        ids = {name: number for number, name in db.query(orm.User.id, orm.User.name)}
        role = orm.Role.find(db, "user")
        assign = [{"user_id": ids[name], "role_id": role.id} for name in (*people, *accounts)]
        db.execute(insert(orm.Base.metadata.tables["user_role_map"]), assign)
        everybody = orm.Group.find(db, names.ALL_ACCOUNTS_GROUP)
        rows = [(everybody.id, ids[name]) for name in accounts]
        for number in range(GROUPS):
            slug = f"group{number}"
            ensure_role(db, slug)
            inside = chance.sample(people[REQUESTS:], PEOPLE_IN_A_GROUP)
            inside += [
                people[asked] for asked in range(REQUESTS) if (asked - number) % GROUPS < OWN_GROUPS
            ]
            group = orm.Group.find(db, names.people_group(slug))
            rows += [(group.id, ids[name]) for name in inside]
            group = orm.Group.find(db, names.accounts_group(slug))
            own = accounts[number * ACCOUNTS_IN_A_GROUP :][:ACCOUNTS_IN_A_GROUP]
            rows += [(group.id, ids[name]) for name in own]
        members = [{"group_id": group_id, "user_id": user_id} for group_id, user_id in rows]
        db.execute(insert(orm.user_group_map), members)
        db.flush()
        return [orm.APIToken.new(user=orm.User.find(db, name)) for name in people[:REQUESTS]]


def _wait_for_worker(site: Site) -> None:
    """Until the last of the new people can be found through the portal."""
    member = site.api(MEMBER)

    def look() -> bool:
        found = member.expect(200, "GET", f"users?q=person{PEOPLE - 1:05}")
        return bool(found["total"])

    wait_for(look, "the worker to look at everybody", WORKER_SECONDS)
