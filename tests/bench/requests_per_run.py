"""How many requests a run costs: from the merge of run 1 until the result of run 2 is said.

    python -m tests.bench.requests_per_run [--list] [--sleep 5]

One experiment goes through the stand-in with a scripted model; the training of run 2 sleeps. Counted is every call of
the bot, and apart from them those that it makes while that training runs: from the write by which the bot says that it
trains until the event that it has ended. There the bot is to be parked, and to ask nothing.
"""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from bot.local.faults import Call
from bot.local.rows import Delivery
from tests.bench.calls import rest, show, table, tally
from tests.story import TRAIN, Script, Story, code, trained

MOST_READS, MOST_WRITES = 30, 12


@dataclass(frozen=True)
class Figures:
    """The calls of one run, and those of them that fall into its training."""

    run: tuple[Call, ...]
    training: tuple[Call, ...]


class Ends:
    """How many calls there had been when the bot was about to hear that a training has ended."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.at: list[int] = []

    def plan(self, delivery: Delivery) -> Iterable[Delivery]:
        if (delivery.event, delivery.action) == ("workflow_run", "completed"):
            self.at.append(len(self.calls))
        return (delivery,)


def sleeping(loss: float, seconds: float) -> str:
    """A coder's reply whose training sleeps first."""
    return code(TRAIN.format(loss=loss).replace("\nLOSS", f"\nimport time\n\ntime.sleep({seconds})\nLOSS"))


def measure(folder: Path, *, sleep: float) -> Figures:
    ends = Ends()
    script = Script(coder=[trained(2.0), sleeping(1.5, sleep)])
    story = Story(folder, script=script, runs=3, seconds=int(sleep) + 10, plan=ends.plan)
    faults = story.github.faults
    faults.record, ends.calls = True, faults.calls
    try:
        story.begin()
        pull = _reviewed(story, "1")
        rest(faults.calls)
        start = len(faults.calls)
        story.ada.merge(pull)
        story.wait("training of run 2", lambda: "raining, run 2" in story.status())
        said = 1 + max(i for i, call in enumerate(faults.calls) if call.method != "GET")
        _reviewed(story, "2")
        rest(faults.calls)
    finally:
        story.end()
    return Figures(tuple(faults.calls[start:]), tuple(faults.calls[said : ends.at[-1]]))


def _reviewed(story: Story, run: str) -> int:
    """The run's pull request, once its result is said everywhere."""
    pull = story.concluded(run)
    story.wait(f"review of run {run}", lambda: f"review, run {run}" in story.status())
    return int(pull["number"])


@click.command()
@click.option("--list", "listed", is_flag=True, help="Show every request.")
@click.option("--sleep", default=5.0, show_default=True, help="Seconds that the training of run 2 sleeps.")
def main(listed: bool, sleep: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), sleep=sleep)
    if listed:
        print("\n".join(map(show, figures.run)))
    run, training = tally(figures.run), tally(figures.training)
    rows = [
        ("from the merge of run 1 to the result of run 2", run.reads, run.unchanged, run.writes, run.downloads),
        ("at most", MOST_READS, "", MOST_WRITES, ""),
        (f"while the training ran ({sleep:g} s)", training.reads, training.unchanged, training.writes, 0),
        ("at most", 0, 0, 0, 0),
    ]
    print(table(("", "reads", "of them 304", "writes", "downloads"), rows))


if __name__ == "__main__":
    main()
