"""A story under everything that GitHub does now and then, and under mixtures of it: it ends as on a good day."""

import re
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from bot.local.faults import Faults
from bot.models.model import Role
from tests.story import CRASH, TRAIN, Script, Story, code, repair, trained

Tell = Callable[..., Story]
PATIENCE = 100.0
TOKEN_LIFE = 25.0
"""PyGithub takes a new one twenty seconds before the end: every five seconds, and not for every request."""

FAULTS = {
    "lists lag": Faults(lag=1.0),
    "mergeable is null at first": Faults(mergeable_after=2.0),
    "secondary limits": Faults(seed=1, limited=0.08),
    "broken before the write": Faults(seed=2, broken_before=0.1),
    "broken after the write": Faults(seed=3, broken_after=0.1),
    "cut before the write": Faults(seed=4, cut_before=0.1),
    "cut after the write": Faults(seed=5, cut_after=0.1),
    "tokens expire": Faults(token_life=TOKEN_LIFE),
    "deliveries late": Faults(seed=6, late=0.5, late_by=2.0),
    "deliveries twice": Faults(seed=7, twice=0.7),
    "deliveries out of order": Faults(seed=8, shuffled=0.7),
    "deliveries lost": Faults(seed=9, never=0.5),
}
"""Each switch by itself."""
IN_THE_DEFAULT_SUITE = {"cut after the write"}


def mixture(seed: int) -> Faults:
    """Some of all, by chance."""
    draw = Random(seed)
    shares = ("limited", "broken_before", "broken_after", "cut_before", "cut_after")
    faults = Faults(seed=seed, lag=draw.choice((0.0, 1.0)), token_life=draw.choice((None, TOKEN_LIFE)))
    for name in shares:
        setattr(faults, name, draw.choice((0.0, 0.02, 0.05)))
    for name in ("late", "twice", "shuffled", "never"):
        setattr(faults, name, draw.choice((0.0, 0.3)))
    return faults


def script() -> Script:
    coder = [code(CRASH), repair(TRAIN.format(loss=2.0)), trained(2.5), trained(1.5)]
    return Script(coder=coder)


def tell(tale: Story) -> None:
    """A crash and its repair, a merge, a discarded run, a report."""
    issue = tale.begin()
    ways: tuple[Callable[[int], object], ...] = (
        lambda number: tale.ada.merge(number, method="squash"),
        tale.ada.close_pull,
        lambda number: tale.ada.merge(number, method="rebase"),
    )
    for run, end in enumerate(ways, start=1):
        seen = tale.wait(f"review of run {run}", lambda run=run: _to_review(tale, run), patience=PATIENCE)  # type: ignore[misc]
        end(seen)
    report = tale.wait("report", lambda: tale.pull("report"), patience=PATIENCE)
    tale.ada.merge(report["number"])
    tale.wait("end", lambda: tale.ada.issue(issue)["state"] == "closed", patience=PATIENCE)
    tale.wait("the last word", lambda: "✅ Done" in tale.status(), patience=PATIENCE)


def _to_review(tale: Story, run: int) -> int | None:
    pull = tale.pull(str(run))
    return pull["number"] if pull and f"review, run {run}" in tale.status() else None


def check_that_all_is_there_once(tale: Story) -> None:
    pulls = tale.ada.pulls(state="all")
    assert [pull["head"]["ref"] for pull in pulls] == [
        "experiment/1/run-1",
        "experiment/1/run-2",
        "experiment/1/run-3",
        "experiment/1/report-4",
    ]
    asked = Counter(prompt.role for prompt in tale.script.prompts)
    assert asked == {Role.PLANNER: 1, Role.CODER: 4, Role.SUMMARIZER: 3, Role.ANALYST: 3, Role.REPORTER: 1}
    assert len(tale.trainings()) == 4
    marks = Counter(
        (pull["number"], mark)
        for pull in [{"number": 1}, *pulls]
        for mark in re.findall(r"<!-- trainwright: (.*?) -->", tale.said(pull["number"]))
    )
    assert set(marks.values()) == {1}
    assert len([mark for _, mark in marks if mark.startswith(("summary", "analysis"))]) == 6
    records = [tale.record(run) for run in ("1", "2", "3")]
    assert [(record.value, bool(record.discarded)) for record in records] == [(2.0, False), (2.5, True), (1.5, False)]
    assert [len(record.attempts) for record in records] == [2, 1, 1]
    assert "paused" not in tale.labels()


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in IN_THE_DEFAULT_SUITE else pytest.mark.slow) for name in FAULTS]
)
def test_a_story_under(name: str, story: Tell) -> None:
    tale = story(runs=3, script=script(), faults=FAULTS[name], sweep_seconds=2.0, lag_seconds=4.0)
    tell(tale)
    check_that_all_is_there_once(tale)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", range(6))
def test_a_story_under_a_mixture(seed: int, story: Tell) -> None:
    faults = mixture(seed)
    print(faults)
    tale = story(runs=3, script=script(), faults=faults, sweep_seconds=2.0, lag_seconds=4.0)
    tell(tale)
    check_that_all_is_there_once(tale)


def test_a_token_revoked_early_is_replaced(story: Tell) -> None:
    tale = story()
    tale.begin()
    first = tale.concluded("1")
    tale.github.faults.revoke_tokens()
    tale.ada.merge(first["number"])
    tale.concluded("2")


def test_an_artifact_that_expired_is_told_and_the_way_on_too(story: Tell) -> None:
    tale = story(faults=Faults(artifact_life=0.0))
    tale.begin()
    tale.wait("a word on it", lambda: "It has expired." in tale.status())
    assert "Take the label `paused` off to train again." in tale.status()
    tale.github.faults.artifact_life = None
    tale.ada.unlabel(1, "paused")
    tale.concluded("1")
