"""What a sweep costs: at the start, in quiet, and after a night without webhooks.

    python -m tests.bench.sweep [--labs 100] [--experiments 10]

Every lab has so many open experiments, each waiting for the review of its first run. The stand-in and the bot share
one process, so the seconds are those of both. Counted are the bot's calls until its queue is empty again: those of the
sweep itself and those of the looks that it leads to. The writes of the first are tokens, one for each ten labs; the
sweep after the night's sees what the bot itself wrote in the last one.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from bot.asking import Asker
from bot.controller import Controller
from bot.events import request_name
from bot.gateway import App
from bot.ledger import Ledger
from bot.local.faults import Call
from bot.models.scripted import Scripted
from tests.bench.calls import looks, table, tally
from tests.bench.fleet import Fleet, Spot
from tests.story import Script

PATIENCE = 1800.0
COMMENTS, REVIEWS, TRAININGS = 50, 20, 20
"""How many of a thousand experiments get one of these in a night."""


@dataclass(frozen=True)
class Phase:
    """One sweep. `touched` are the experiments that something had happened to; `looked_at` may have others, too."""

    name: str
    seconds: float
    calls: tuple[Call, ...]
    touched: frozenset[tuple[str, int]]
    looked_at: frozenset[tuple[str, int]]


class Bot:
    """Without a door for webhooks: none come."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self._app = App(
            api_url=fleet.github.api_url, app_id=str(fleet.app.app_id), private_key=fleet.app.private_key, pace=False
        )
        self._ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
        model = Scripted("scripted", Script())
        self._controller = Controller(
            self._app, self._ledger, Asker(self._ledger, lambda name: model), default_model="scripted"
        )
        self._controller.queue.start()

    def sweep(self) -> None:
        """Returns when every experiment that it found was looked at."""
        self._controller.sweep()
        assert self._controller.queue.wait_quiet(PATIENCE)

    def end(self) -> None:
        self._controller.queue.stop(timeout=10)
        self._app.close()
        self._ledger.close()


def measure(folder: Path, *, labs: int, experiments: int) -> list[Phase]:
    fleet = Fleet(folder, labs=labs, experiments=experiments)
    bot = Bot(fleet, folder)
    nothing: frozenset[tuple[str, int]] = frozenset()
    try:
        return [
            _phase("first, at the start", bot, fleet, lambda: frozenset(fleet.experiments())),
            _phase("quiet", bot, fleet, lambda: nothing),
            _phase("after a night without webhooks", bot, fleet, lambda: night(fleet)),
            _phase("the one after it", bot, fleet, lambda: nothing),
        ]
    finally:
        bot.end()
        fleet.end()


def _phase(name: str, bot: Bot, fleet: Fleet, happens: Callable[[], frozenset[tuple[str, int]]]) -> Phase:
    touched = happens()
    start, before = time.monotonic(), len(fleet.calls)
    bot.sweep()
    calls = tuple(fleet.calls[before:])
    looked_at = looks(calls) & fleet.experiments()
    return Phase(name, time.monotonic() - start, calls, touched, frozenset(looked_at))


def night(fleet: Fleet) -> frozenset[tuple[str, int]]:
    """What happens meanwhile, to different experiments, in every part of the fleet."""
    shares = [max(2, len(fleet.spots) * share // 1000) for share in (COMMENTS, REVIEWS, TRAININGS)]
    step = len(fleet.spots) // sum(shares)
    touched = fleet.spots[:: max(1, step)][: sum(shares)]
    commented, rest = touched[: shares[0]], touched[shares[0] :]
    for number, spot in enumerate(commented):
        _comment(fleet, spot, spot.pull if number % 2 else spot.issue)
    for number, spot in enumerate(rest[: shares[1]]):
        _review(fleet, spot, merge=number % 2 == 0)
    for spot in rest[shares[1] :]:
        _train(fleet, spot)
    return frozenset(spot.key for spot in touched)


def _comment(fleet: Fleet, spot: Spot, thread: int) -> None:
    fleet.github.hub.issues.comment(spot.repo, thread, actor=spot.owner, body="That is less than I hoped for.")


def _review(fleet: Fleet, spot: Spot, *, merge: bool) -> None:
    hub = fleet.github.hub
    if merge:
        hub.pulls.merge(spot.repo, spot.pull, actor=spot.owner)
    else:
        hub.issues.close(spot.repo, spot.pull, actor=spot.owner)


def _train(fleet: Fleet, spot: Spot) -> None:
    """The same inputs were trained once more, and nothing came of it."""
    store = fleet.github.store
    title, old = spot.training.display_title.rsplit(maxsplit=1)
    again = request_name(spot.issue, "1", old.split(".")[2], 2)
    now = store.now()
    run = replace(spot.training, id=0, display_title=f"{title} {again}", conclusion="failure")
    store.add(replace(run, created_at=now, updated_at=now, started_at=now))


def report(phases: Sequence[Phase]) -> str:
    head = ("sweep", "requests", "of them 304", "writes", "seconds", "looked at", "of those touched")
    return table(head, [_row(phase) for phase in phases])


def _row(phase: Phase) -> Sequence[object]:
    of = tally(phase.calls)
    seen = f"{len(phase.touched & phase.looked_at)} of {len(phase.touched)}"
    return phase.name, of.requests, of.unchanged, of.writes, f"{phase.seconds:.1f}", len(phase.looked_at), seen


@click.command()
@click.option("--labs", default=100, show_default=True)
@click.option("--experiments", default=10, show_default=True, help="Open experiments in each lab.")
def main(labs: int, experiments: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(report(measure(Path(folder), labs=labs, experiments=experiments)))


if __name__ == "__main__":
    main()
