"""Temporary labs: who gets which, when they end, and that nobody gets another's."""

from collections import Counter
from datetime import timedelta
from threading import Thread

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from sophon_hub import clock
from sophon_hub.actions.temporary import (
    MOST_WAITING,
    RECYCLE,
    Turn,
    ask_for_lab,
    end_due,
    ends_at,
    forget,
    give_up,
    idle_at,
    keep_waiting,
    leave_lab,
    note_ready,
    refill,
)
from sophon_hub.errors import Conflict, NotFound, Unavailable
from sophon_hub.models import TemporaryLab, TemporaryState, TemporaryVisit
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import Sophon
from sophon_hub.store import temporary
from sophon_hub.store.engine import reading, transact
from tests.cast import Cast
from tests.conftest import StoppedClock
from tests.database import actions, events

GUEST = Actor(via="page")
ON = Sophon(temporary_labs=True, temporary_capacity=4, temporary_pool=2)
OFF = Sophon(temporary_labs=False)


def digest(who: object) -> str:
    return temporary.visit_digest(f"secret of {who}")


def fill(session: Session, settings: Sophon = ON) -> list[str]:
    """Labs that are ready, as many as a worker would make."""
    made = refill(session, settings, room=100)
    for name in made:
        note_ready(session, name)
    return made


def ask(session: Session, who: object = "me", settings: Sophon = ON) -> Turn:
    return ask_for_lab(session, GUEST, digest(who), settings)


def lab(session: Session, name: str | None) -> TemporaryLab:
    found = session.get(TemporaryLab, name)
    assert found is not None
    return found


def look(session: Session, *, settings: Sophon = ON, gone: tuple[str, ...] = ()) -> None:
    """What the worker does every few seconds; the Hub has all servers but those that are gone."""
    names = [row.name for row in temporary.system_temporary_labs(session)]
    servers = {name: lab(session, name).last_activity for name in names if name not in gone}
    end_due(session, settings, servers, settled=names)


def states(session: Session) -> dict[str, TemporaryState]:
    return {row.name: row.state for row in temporary.system_temporary_labs(session)}


def test_who_asks_gets_a_lab_that_is_ready_and_one_event_says_so(session: Session) -> None:
    made = fill(session)
    turn = ask(session)
    assert turn.lab in made
    (event,) = events(session)
    assert (event.action, event.actor, event.detail) == ("temporary:claim", None, {"lab": turn.lab})


def test_the_same_browser_gets_the_same_lab_again(session: Session) -> None:
    fill(session)
    assert ask(session) == ask(session)
    assert keep_waiting(session, GUEST, digest("me"), ON) == ask(session)
    assert actions(session) == ["temporary:claim"]


def test_another_browser_gets_another_lab(session: Session) -> None:
    fill(session)
    assert ask(session, "me").lab != ask(session, "you").lab


def test_where_none_is_ready_people_queue_in_the_order_they_came(session: Session) -> None:
    assert [ask(session, who).place for who in "abc"] == [1, 2, 3]
    assert ask(session, "b").place == 2
    fill(session, Sophon(temporary_labs=True, temporary_capacity=4, temporary_pool=0))
    assert keep_waiting(session, GUEST, digest("b"), ON).lab  # type: ignore[union-attr]
    assert keep_waiting(session, GUEST, digest("a"), ON).lab  # type: ignore[union-attr]


def test_who_comes_later_does_not_take_the_lab_of_who_waits(session: Session) -> None:
    ask(session, "first")
    (name,) = refill(session, ON, room=1)
    note_ready(session, name)
    assert ask(session, "second") == Turn(place=1)
    assert keep_waiting(session, GUEST, digest("first"), ON) == Turn(lab=name)


def test_who_went_away_is_waited_for_no_longer(
    session: Session, stopped_clock: StoppedClock
) -> None:
    ask(session, "first")
    stopped_clock.forward(seconds=60)
    assert ask(session, "second").place == 1
    assert keep_waiting(session, GUEST, digest("first"), ON) is None


def test_who_looks_again_in_time_keeps_the_place(
    session: Session, stopped_clock: StoppedClock
) -> None:
    ask(session, "first")
    for _ in range(5):
        stopped_clock.forward(seconds=30)
        assert keep_waiting(session, GUEST, digest("first"), ON) == Turn(place=1)


def test_the_queue_has_an_end(session: Session) -> None:
    now = clock.utcnow()
    session.add_all(TemporaryVisit(visit=digest(n), seen_at=now) for n in range(MOST_WAITING))
    with pytest.raises(Unavailable) as refused:
        ask(session, "one more")
    assert refused.value.retry_after > 0
    assert ask(session, 5).place == 6


def test_somebody_who_is_signed_in_has_a_lab_already(session: Session, cast: Cast) -> None:
    fill(session)
    with pytest.raises(Conflict):
        ask_for_lab(session, cast.actor("barbara"), digest("barbara"), ON)
    assert not actions(session)
    assert TemporaryState.CLAIMED not in states(session).values()


def test_where_they_are_not_offered_nobody_gets_one(session: Session) -> None:
    fill(session)
    for do in (ask_for_lab, keep_waiting):
        with pytest.raises(NotFound):
            do(session, GUEST, digest("me"), OFF)
    assert refill(session, OFF, room=100) == []


def test_a_claim_makes_room_in_the_pool_which_is_filled_up_to_the_capacity(
    session: Session,
) -> None:
    assert len(fill(session)) == 2
    assert fill(session) == []
    ask(session, "a")
    assert len(fill(session)) == 1
    ask(session, "b")
    assert len(fill(session)) == 1
    ask(session, "c")
    ask(session, "d")
    assert fill(session) == []
    assert ask(session, "e").place == 1
    assert len(states(session)) == 4


def test_as_many_are_started_as_people_wait_and_the_pool_holds(session: Session) -> None:
    ask(session, "a")
    assert len(refill(session, ON, room=100)) == 3
    assert refill(session, ON, room=100) == []


def test_no_more_are_started_than_there_is_room_for(session: Session) -> None:
    assert len(refill(session, ON, room=1)) == 1


def test_leaving_ends_the_lab(session: Session) -> None:
    fill(session)
    turn = ask(session)
    leave_lab(session, GUEST, digest("me"))
    assert lab(session, turn.lab).state is TemporaryState.ENDING
    assert actions(session) == ["temporary:claim", "temporary:leave"]
    assert ask(session).lab not in (None, turn.lab)


def test_leaving_the_queue_lets_the_next_one_go_first(session: Session) -> None:
    ask(session, "first")
    ask(session, "second")
    leave_lab(session, GUEST, digest("first"))
    assert ask(session, "second").place == 1


def test_who_has_nothing_cannot_leave(session: Session) -> None:
    fill(session)
    ask(session, "you")
    with pytest.raises(NotFound):
        leave_lab(session, GUEST, digest("me"))
    assert TemporaryState.CLAIMED in states(session).values()


def test_a_visit_ends_after_half_an_hour_without_work(
    session: Session, stopped_clock: StoppedClock
) -> None:
    fill(session)
    turn = ask(session)
    stopped_clock.forward(minutes=29)
    look(session)
    assert lab(session, turn.lab).state is TemporaryState.CLAIMED
    stopped_clock.forward(minutes=1)
    look(session)
    assert lab(session, turn.lab).state is TemporaryState.ENDING


def test_work_prolongs_a_visit_up_to_four_hours(
    session: Session, stopped_clock: StoppedClock
) -> None:
    fill(session)
    turn = ask(session)
    claimed = stopped_clock.now
    while stopped_clock.now < claimed + timedelta(minutes=239):
        look(session)
        assert lab(session, turn.lab).state is TemporaryState.CLAIMED
        lab(session, turn.lab).last_activity = stopped_clock.now
        stopped_clock.forward(minutes=1)
    assert ends_at(lab(session, turn.lab), ON) == claimed + timedelta(hours=4)
    assert idle_at(lab(session, turn.lab), ON) > ends_at(lab(session, turn.lab), ON)
    stopped_clock.forward(minutes=1)
    look(session)
    assert lab(session, turn.lab).state is TemporaryState.ENDING


def test_the_time_counts_from_the_claim_not_from_the_start(
    session: Session, stopped_clock: StoppedClock
) -> None:
    fill(session)
    stopped_clock.forward(hours=5)
    turn = ask(session)
    look(session)
    assert lab(session, turn.lab).state is TemporaryState.CLAIMED


def test_a_lab_nobody_took_is_replaced_after_six_hours(
    session: Session, stopped_clock: StoppedClock
) -> None:
    old = fill(session)
    stopped_clock.forward(seconds=RECYCLE.total_seconds())
    look(session)
    assert {states(session)[name] for name in old} == {TemporaryState.ENDING}
    assert len(fill(session)) == 2


def test_an_image_made_anew_under_its_name_drains_the_pool_and_leaves_visitors_alone(
    session: Session,
) -> None:
    fill(session)
    mine = ask(session).lab
    everything = states(session)

    end_due(session, ON, dict.fromkeys(everything), settled=everything, outdated=everything)

    left = {name for name, state in states(session).items() if state is not TemporaryState.ENDING}
    assert left == {mine}


def test_another_image_drains_the_pool_and_leaves_visitors_alone(session: Session) -> None:
    pool = fill(session)
    turn = ask(session)
    new = Sophon(temporary_labs=True, images={"lab": {"image": "lab:new"}})
    look(session, settings=new)
    after = states(session)
    assert {name: after[name] for name in pool} == {
        name: TemporaryState.CLAIMED if name == turn.lab else TemporaryState.ENDING for name in pool
    }


def test_switched_off_the_pool_is_drained_and_visitors_may_finish(session: Session) -> None:
    fill(session)
    turn = ask(session)
    look(session, settings=OFF)
    assert Counter(states(session).values()) == {
        TemporaryState.CLAIMED: 1,
        TemporaryState.ENDING: 1,
    }
    assert lab(session, turn.lab).state is TemporaryState.CLAIMED


def test_a_lab_whose_server_died_is_given_to_nobody(session: Session) -> None:
    dead, alive = fill(session)
    look(session, gone=(dead,))
    assert states(session) == {dead: TemporaryState.ENDING, alive: TemporaryState.READY}


def test_a_lab_that_became_ready_after_the_hub_was_asked_is_left_alone(session: Session) -> None:
    made = fill(session)
    end_due(session, ON, {}, settled=())
    assert set(states(session).values()) == {TemporaryState.READY}
    assert set(states(session)) == set(made)


def test_a_lab_that_still_starts_is_left_alone(session: Session) -> None:
    (name,) = refill(session, ON, room=1)
    look(session, gone=(name,))
    assert states(session) == {name: TemporaryState.STARTING}


def test_a_lab_that_did_not_start_is_cleared_away(session: Session) -> None:
    (name,) = refill(session, ON, room=1)
    give_up(session, name)
    note_ready(session, name)  # the start that was given up reports late
    assert states(session) == {name: TemporaryState.ENDING}
    forget(session, name)
    assert states(session) == {}


def test_news_of_a_lab_that_is_forgotten_changes_nothing(session: Session) -> None:
    for do in (note_ready, give_up, forget):
        do(session, "tmp-gone")
    assert states(session) == {}


def test_the_secret_is_not_in_the_database(session: Session) -> None:
    fill(session)
    turn = ask_for_lab(session, GUEST, temporary.visit_digest("open sesame"), ON)
    assert lab(session, turn.lab).visit == temporary.visit_digest("open sesame")
    assert "sesame" not in str(lab(session, turn.lab).visit)


# many at once, each with a connection of their own


def at_once(engine: Engine, visitors: list[str], settings: Sophon) -> list[Turn]:
    """What each of them gets."""
    results: list[Turn | None] = [None] * len(visitors)

    def run(place: int) -> None:
        visit = digest(visitors[place])
        results[place] = transact(
            engine, lambda session: ask_for_lab(session, GUEST, visit, settings)
        )

    threads = [Thread(target=run, args=(place,)) for place in range(len(visitors))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(results), "somebody got no answer"
    return [result for result in results if result]


BIG = Sophon(temporary_labs=True, temporary_capacity=50, temporary_pool=10)


def test_of_many_at_once_no_two_get_the_same_lab(engine: Engine) -> None:
    transact(engine, lambda session: fill(session, BIG))
    turns = at_once(engine, [f"visitor {n}" for n in range(16)], BIG)
    given = [turn.lab for turn in turns if turn.lab]
    assert len(given) == len(set(given)) == 10
    assert sorted(turn.place for turn in turns if not turn.lab) == [1, 2, 3, 4, 5, 6]


def test_one_browser_that_asks_many_times_at_once_gets_one_lab(engine: Engine) -> None:
    transact(engine, lambda session: fill(session, BIG))
    turns = at_once(engine, ["the same"] * 12, BIG)
    assert len({turn.lab for turn in turns}) == 1


def test_many_workers_at_once_never_make_more_than_the_capacity(engine: Engine) -> None:
    greedy = Sophon(temporary_labs=True, temporary_capacity=5, temporary_pool=50)
    threads = [
        Thread(target=lambda: transact(engine, lambda session: fill(session, greedy)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(TemporaryLab)) == 5


@pytest.mark.usefixtures("stopped_clock")  # else the first ones who wait are given up
def test_a_thousand_claims_end_in_as_many_visits_as_there_are_labs(engine: Engine) -> None:
    small = Sophon(temporary_labs=True, temporary_capacity=12, temporary_pool=12)
    transact(engine, lambda session: fill(session, small))
    given: set[str] = set()
    refused = 0
    for number in range(1000):
        visit = digest(number)
        try:
            turn = transact(engine, lambda session, v=visit: ask_for_lab(session, GUEST, v, small))
        except Unavailable:
            refused += 1
            continue
        if turn.lab:
            assert turn.lab not in given
            given.add(turn.lab)
    with reading(engine) as session:
        counts = temporary.count_temporary(session)
    assert (len(given), counts.claimed, counts.total) == (12, 12, 12)
    assert (counts.waiting, refused) == (MOST_WAITING, 1000 - 12 - MOST_WAITING)
