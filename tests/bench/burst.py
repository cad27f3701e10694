"""How fast the webhook answers a burst of deliveries, and what is left of it when the bot is killed in the middle.

    python -m tests.bench.burst [--labs 20] [--experiments 10] [--deliveries 2000] [--connections 50]

The bot is `trainwright serve`, a process of its own, and so is the sender; the stand-in is in this one. The deliveries
are comments on the experiments in turn, signed, and of the size of GitHub's. Each experiment waits for a review, so
that a look at it asks no model.

In the second run the bot is killed when it has taken half of the deliveries, and started again; what was not answered
by then is lost. Every experiment is looked at after the restart: the sweep at the start sees to that.
"""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import click
import httpx2

from bot.local.rows import Delivery
from bot.local.server import HOST
from bot.server import listen_on
from tests.bench.calls import looks, rest, table, tally
from tests.bench.fleet import Fleet
from tests.bench.sender import Answer, Burst, send
from tests.story import SECRET

SIZE = 18_000
PATIENCE = 600.0
_SETTLED = "trainwright_queue_depth 0\n"
_SWEPT = "trainwright_seconds_since_sweep"
_TAKEN = 'trainwright_deliveries_total{kind="issue_comment",outcome="accepted"} '


@dataclass(frozen=True)
class Sizes:
    labs: int
    experiments: int
    deliveries: int
    connections: int


@dataclass(frozen=True)
class Round:
    """One burst. `looked_at` is how many experiments were looked at from its beginning to the rest after it, or until
    the kill; `looked_at_again`, how many after the restart."""

    name: str
    experiments: int
    answers: tuple[Answer, ...]
    looked_at: int
    requests: int
    looked_at_again: int | None = None


class BotProcess:
    """`trainwright serve`, in a session of its own."""

    def __init__(self, fleet: Fleet, folder: Path, port: int) -> None:
        settings = {
            "app_id": fleet.app.app_id,
            "private_key": fleet.app.private_key,
            "webhook_secret": SECRET,
            "api_url": fleet.github.api_url,
            "database": f"sqlite:///{folder / 'ledger.db'}",
            "host": HOST,
            "port": port,
            "sweep_seconds": PATIENCE,
            "pace": "false",
        }
        ours = {f"TRAINWRIGHT_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_PROXY": HOST, **ours}
        self._log = folder / "bot.log"
        self._url = f"http://{HOST}:{port}/metrics"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the first sweep is done, and all that it led to."""
        command = [str(Path(sys.executable).with_name("trainwright")), "serve"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        self.wait("its first sweep", lambda told: _SWEPT in told and _SETTLED in told)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self, what: str, seen: Callable[[str], bool]) -> None:
        """Until its metrics tell it."""
        end = time.monotonic() + PATIENCE
        while not seen(self._metrics()):
            if self._process is None or self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"Never came: {what}\n{self._log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.02)

    def _metrics(self) -> str:
        try:
            return httpx2.get(self._url, trust_env=False, timeout=10).text
        except httpx2.HTTPError:
            return ""


class Stage:
    """The stand-in, the bot and the sender."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self._sizes = sizes
        # Bound and not listened on, it keeps the port free for the bot while that is dead.
        self._port = listen_on(HOST, 0)
        port = self._port.getsockname()[1]
        self._fleet = Fleet(folder, labs=sizes.labs, experiments=sizes.experiments)
        self._calls = self._fleet.calls
        self._bot = BotProcess(self._fleet, folder, port)
        experiments = [spot.key for spot in self._fleet.spots]
        self._burst = Burst(HOST, port, SECRET, self._payload(), SIZE, experiments, sizes.deliveries, sizes.connections)
        self._sender = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def _payload(self) -> str:
        """As the stand-in tells it."""
        spot = self._fleet.spots[0]
        self._fleet.github.hub.issues.comment(spot.repo, spot.issue, actor=spot.owner, body="Any news?")
        return self._fleet.github.store.all(Delivery, event="issue_comment")[-1].payload

    def answered(self) -> Round:
        self._bot.start()
        start = len(self._calls)
        answers = self._sender.submit(send, self._burst).result(PATIENCE)
        self._bot.wait("rest", lambda told: _SETTLED in told)
        self._bot.kill()
        return self._round("to its end", answers, start, len(self._calls))

    def killed(self) -> Round:
        self._bot.start()
        start = len(self._calls)
        sent = self._sender.submit(send, self._burst)
        self._bot.wait("half of the burst", lambda told: _taken(told) >= self._sizes.deliveries / 2)
        self._bot.kill()
        answers = sent.result(PATIENCE)
        rest(self._calls)
        killed = len(self._calls)
        self._bot.start()
        self._bot.kill()
        return self._round("killed in the middle", answers, start, killed)

    def _round(self, name: str, answers: list[Answer], start: int, end: int) -> Round:
        ours = self._fleet.experiments()
        before, after = self._calls[start:end], self._calls[end:]
        looked_at, again = looks(before) & ours, looks(after) & ours
        return Round(
            name, len(ours), tuple(answers), len(looked_at), tally(before).requests, len(again) if after else None
        )

    def end(self) -> None:
        self._bot.kill()
        self._sender.shutdown(cancel_futures=True)
        self._fleet.end()
        self._port.close()


def _taken(metrics: str) -> int:
    told = metrics.partition(_TAKEN)[2]
    return int(told.partition("\n")[0]) if told else 0


@contextmanager
def staged(folder: Path, sizes: Sizes) -> Iterator[Stage]:
    stage = Stage(folder, sizes)
    try:
        yield stage
    finally:
        stage.end()


def report(rounds: Sequence[Round]) -> str:
    head = ("burst", "answered", "of them 202", "p50 ms", "p99 ms", "per second")
    more = ("experiments", "looked at", "requests", "after the restart")
    return table((*head, *more), [_row(round_) for round_ in rounds])


def _row(round_: Round) -> Sequence[object]:
    answers = round_.answers
    times = sorted(answer.seconds for answer in answers)
    begun = min(answer.at - answer.seconds for answer in answers)
    rate = len(answers) / (max(answer.at for answer in answers) - begun)
    accepted = sum(answer.status == 202 for answer in answers)
    figures = (f"{1000 * _quantile(times, 0.5):.0f}", f"{1000 * _quantile(times, 0.99):.0f}", f"{rate:.0f}")
    again = "" if round_.looked_at_again is None else round_.looked_at_again
    seen = (round_.experiments, round_.looked_at, round_.requests, again)
    return (round_.name, len(answers), accepted, *figures, *seen)


def _quantile(times: Sequence[float], share: float) -> float:
    return times[max(0, math.ceil(share * len(times)) - 1)]


@click.command()
@click.option("--labs", default=20, show_default=True)
@click.option("--experiments", default=10, show_default=True, help="Open experiments in each lab.")
@click.option("--deliveries", default=2000, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--connections", default=50, show_default=True, type=click.IntRange(1, 500))
def main(labs: int, experiments: int, deliveries: int, connections: int) -> None:
    sizes = Sizes(labs, experiments, deliveries, connections)
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder), sizes) as stage:
        print(report([stage.answered(), stage.killed()]))


if __name__ == "__main__":
    main()
