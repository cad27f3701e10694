"""The agenda by itself, then the threads around it. No test waits for a time to pass: clocks are set by hand."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import LedgerError, Moved, Unavailable
from bot.queue import REPEATS, Agenda, Key, Queue, exponential

ONE, TWO, THREE = (Key("you/lab", number) for number in (1, 2, 3))
SOON = 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Hurried:
    """A clock on which every look at it takes a minute: nothing has to be waited for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self) -> float:
        self._clock.now += 60.0
        return self._clock.now


def ignore(key: Key, error: Exception) -> None:
    pytest.fail(f"{key} was given up: {error}")


@contextmanager
def running(queue: Queue) -> Iterator[Queue]:
    queue.start()
    try:
        yield queue
    finally:
        assert queue.stop(SOON)


# The agenda


def test_the_longest_due_comes_first() -> None:
    agenda = Agenda()
    agenda.add(ONE, at=2)
    agenda.add(TWO, at=1)
    agenda.add(THREE, at=9)
    assert [agenda.take(5), agenda.take(5), agenda.take(5)] == [TWO, ONE, None]
    assert agenda.next_due() == 9


def test_the_same_key_is_never_queued_twice() -> None:
    agenda = Agenda()
    agenda.add(ONE, at=0)
    agenda.add(ONE, at=0)
    assert [agenda.take(0), agenda.take(0)] == [ONE, None]


@pytest.mark.parametrize("times", [(1.0, 7.0), (7.0, 1.0)])
def test_the_earlier_time_wins(times: tuple[float, float]) -> None:
    agenda = Agenda()
    for at in times:
        agenda.add(ONE, at=at)
    assert agenda.next_due() == 1
    assert agenda.take(1) == ONE
    agenda.done(ONE)
    assert agenda.next_due() is None


def test_added_while_looked_at_it_waits_for_the_end_of_that_look() -> None:
    agenda = Agenda()
    agenda.add(ONE, at=0)
    agenda.take(0)
    agenda.add(ONE, at=0)
    agenda.add(ONE, at=0)
    assert agenda.take(0) is None
    assert agenda.next_due() is None
    agenda.done(ONE)
    assert [agenda.take(0), agenda.take(0)] == [ONE, None]


def test_what_is_for_later_does_not_keep_it_busy() -> None:
    agenda = Agenda()
    agenda.add(ONE, at=10)
    assert [agenda.busy(0), agenda.busy(10)] == [0, 1]
    agenda.take(10)
    agenda.add(ONE, at=10)
    assert agenda.busy(10) == 1


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["add", "take", "done"]), st.sampled_from([ONE, TWO, THREE]), st.floats(0, 9)))
)
def test_no_key_is_looked_at_twice_at_once_and_none_is_lost(steps: list[tuple[str, Key, float]]) -> None:
    agenda, looking, waiting = Agenda(), set[Key](), set[Key]()
    for step, key, time in steps:
        if step == "add":
            agenda.add(key, at=time)
            waiting.add(key)
        elif step == "done":
            agenda.done(key)
            looking.discard(key)
        elif (taken := agenda.take(time)) is not None:
            assert taken in waiting - looking
            waiting.discard(taken)
            looking.add(taken)
    assert agenda.busy(9) == len(looking | waiting)


# The threads


def test_everything_added_is_looked_at() -> None:
    looked = Counter[Key]()
    keys = [Key("you/lab", number) for number in range(1, 101)]

    def look(key: Key) -> None:
        looked[key] += 1

    queue = Queue(look, give_up=ignore)
    for key in keys:
        queue.add(key)
    assert queue.depth() == 100
    with running(queue):
        assert queue.wait_quiet(SOON)
    assert looked == Counter(keys)
    assert queue.quiet()


def test_different_keys_are_looked_at_side_by_side() -> None:
    together = threading.Barrier(3)

    def look(key: Key) -> None:
        together.wait(SOON)

    queue = Queue(look, give_up=ignore, workers=3)
    with running(queue):
        for key in (ONE, TWO, THREE):
            queue.add(key)
        assert queue.wait_quiet(SOON)
    assert not together.broken


def test_a_key_added_many_times_during_its_look_is_looked_at_once_more() -> None:
    started, go_on = threading.Semaphore(0), threading.Semaphore(0)
    at_once = Counter[str]()

    def look(key: Key) -> None:
        at_once["now"] += 1
        at_once["most"] = max(at_once["most"], at_once["now"])
        at_once["looks"] += 1
        started.release()
        assert go_on.acquire(timeout=SOON)
        at_once["now"] -= 1

    queue = Queue(look, give_up=ignore)
    with running(queue):
        queue.add(ONE)
        assert started.acquire(timeout=SOON)
        for _ in range(5):
            queue.add(ONE)
        assert not queue.wait_quiet(0)
        go_on.release(10)
        assert queue.wait_quiet(SOON)
    assert (at_once["looks"], at_once["most"]) == (2, 1)


def test_a_look_may_ask_for_another_later() -> None:
    clock, looks = Clock(), Counter[Key]()

    def look(key: Key) -> float | None:
        looks[key] += 1
        return 60.0 if key == ONE else None

    queue = Queue(look, give_up=ignore, clock=clock)
    with running(queue):
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
        clock.now = 59.9
        queue.add(TWO)
        assert queue.wait_quiet(SOON)
        assert looks == {ONE: 1, TWO: 1}
        clock.now = 60.0
        queue.add(TWO)
        assert queue.wait_quiet(SOON)
    assert looks == {ONE: 2, TWO: 2}


def test_it_wakes_by_itself_for_what_is_due_later() -> None:
    looked = threading.Event()
    queue = Queue(lambda key: looked.set(), give_up=ignore)
    with running(queue):
        queue.add(ONE, after=0.02)
        assert looked.wait(SOON)


@pytest.mark.parametrize("after", [1e12, float("inf")])
def test_a_very_long_wait_is_no_problem(after: float) -> None:
    queue = Queue(lambda key: after, give_up=ignore)
    with running(queue):
        queue.add(ONE)
        queue.add(TWO, after=after)
        assert queue.wait_quiet(SOON)
        queue.add(ONE)
        assert queue.wait_quiet(SOON)


def failing(times: int, error: Exception, looks: Counter[Key]) -> Callable[[Key], None]:
    """A look that fails so many times, then succeeds."""

    def look(key: Key) -> None:
        looks[key] += 1
        if looks[key] <= times:
            raise error

    return look


def test_a_failed_look_comes_back_later_and_later() -> None:
    looks, waits = Counter[Key](), list[int]()

    def backoff(failures: int) -> float:
        waits.append(failures)
        return 0.0

    queue = Queue(failing(4, Unavailable("GitHub is down."), looks), give_up=ignore, backoff=backoff)
    with running(queue):
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
    assert waits == [1, 2, 3, 4]
    assert looks[ONE] == 5


def test_after_too_many_failures_it_is_given_up_once_until_added_again() -> None:
    looks, given_up = Counter[Key](), list[str]()

    def give_up(key: Key, error: Exception) -> None:
        given_up.append(f"{key}: {error}")
        raise RuntimeError("This must not stop the queue.")

    queue = Queue(failing(7, RuntimeError("Down."), looks), give_up=give_up, backoff=lambda failures: 0.0, patience=3)
    with running(queue):
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
        assert (looks[ONE], given_up) == (3, ["you/lab#1: Down."])
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
        assert (looks[ONE], len(given_up)) == (6, 2)
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
    assert (looks[ONE], len(given_up)) == (8, 2)


def test_a_good_look_restores_the_patience() -> None:
    looks = Counter[Key]()

    def look(key: Key) -> None:
        looks[key] += 1
        if looks[key] % 3:
            raise RuntimeError("Down.")

    queue = Queue(look, give_up=ignore, backoff=lambda failures: 0.0, patience=3)
    with running(queue):
        for _ in range(4):
            queue.add(ONE)
            assert queue.wait_quiet(SOON)
    assert looks[ONE] == 12


def test_events_during_a_failure_do_not_use_up_the_patience() -> None:
    clock, looks, given_up = Clock(), Counter[Key](), list[Key]()
    queue = Queue(
        failing(99, RuntimeError("Down."), looks),
        give_up=lambda key, error: given_up.append(key),
        backoff=lambda failures: 10.0,
        patience=2,
        clock=clock,
    )
    with running(queue):
        for _ in range(5):
            queue.add(ONE)
            assert queue.wait_quiet(SOON)
        assert (looks[ONE], given_up) == (5, [])
        clock.now = 10.0
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
    assert given_up == [ONE]


LASTING = [Unavailable("Down."), Unavailable("Wait.", seconds=1.0), LedgerError("The disk is full.")]


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_passes_by_itself_is_waited_for_as_long_as_it_takes(error: Exception) -> None:
    looks, clock = Counter[Key](), Clock()
    queue = Queue(
        failing(99, error, looks), give_up=ignore, backoff=lambda failures: 0.0, patience=3, clock=Hurried(clock)
    )
    with running(queue):
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
    assert looks[ONE] == 100


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_an_outage_leaves_the_patience_as_it_was(error: Exception) -> None:
    looks, given_up = Counter[Key](), list[int]()

    def look(key: Key) -> None:
        looks[key] += 1
        raise error if looks[key] % 4 else RuntimeError("Ours.")

    queue = Queue(
        look,
        give_up=lambda key, error: given_up.append(looks[key]),
        backoff=lambda failures: 0.0,
        patience=3,
        clock=Hurried(Clock()),
    )
    with running(queue):
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
    assert given_up == [12]


def test_github_is_left_alone_for_as_long_as_it_asks() -> None:
    clock, looks = Clock(), Counter[Key]()
    queue = Queue(
        failing(1, Unavailable("Wait.", seconds=60.0), looks), give_up=ignore, backoff=lambda failures: 2.0, clock=clock
    )
    with running(queue):
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
        clock.now = 59.0
        assert queue.quiet()
        clock.now = 60.0
        assert not queue.quiet()
        queue.add(TWO)
        assert queue.wait_quiet(SOON)
    assert looks == {ONE: 2, TWO: 1}


def test_a_moved_ref_is_no_failure() -> None:
    looks = Counter[Key]()
    queue = Queue(failing(REPEATS, Moved("The head moved."), looks), give_up=ignore, patience=1)
    with running(queue):
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
    assert looks[ONE] == REPEATS + 1


def test_a_ref_that_always_moves_is_one() -> None:
    looks, given_up = Counter[Key](), list[Exception]()
    queue = Queue(
        failing(99, Moved("The head moved."), looks),
        give_up=lambda key, error: given_up.append(error),
        backoff=lambda failures: 0.0,
        patience=2,
    )
    with running(queue):
        queue.add(ONE)
        assert queue.wait_quiet(SOON)
    assert looks[ONE] == REPEATS + 2
    assert [type(error) for error in given_up] == [Moved]


def test_stopping_waits_for_the_look_under_way_and_starts_no_other() -> None:
    started, go_on, ended = threading.Event(), threading.Event(), list[Key]()

    def look(key: Key) -> None:
        started.set()
        assert go_on.wait(SOON)
        ended.append(key)

    queue = Queue(look, give_up=ignore, workers=1)
    queue.start()
    queue.add(ONE)
    queue.add(TWO)
    assert started.wait(SOON)
    assert not queue.stop(0)
    go_on.set()
    assert queue.stop(SOON)
    assert ended == [ONE]
    assert queue.depth() == 1


@given(st.integers(1, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_backoff_grows_and_has_an_end(failures: int) -> None:
    assert 1 <= exponential(failures) <= exponential(failures + 1) <= 300
