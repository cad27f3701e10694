"""One look after the other, by hand: no queue, no webhook, no thread of the bot's."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.asking import Asker
from bot.controller import Controller
from bot.events import parse
from bot.experiment import EXPERIMENT, PAUSED
from bot.ledger import Ledger
from bot.models.model import Role
from bot.models.scripted import Scripted
from bot.queue import Key
from runner.result import Status
from tests.lab import Lab
from tests.story import LAB, PLAN, REVISION, Script
from tests.values import LONG_AGO, result

INPUTS = ("pr", "sha", "request", "folder", "seconds", "hard_seconds", "labels", "sandbox")
WORKFLOW = f"""
name: Train
run-name: "Train #${{{{ inputs.pr }}}} ${{{{ inputs.sha }}}} ${{{{ inputs.request }}}}"
on:
  workflow_dispatch:
    inputs: {{{", ".join(f"{name}: {{required: true, type: string}}" for name in INPUTS)}}}
jobs:
  train:
    runs-on: self-hosted
    env:
      RESULT: '{result(Status.OK).to_json().replace(chr(10), "")}'
      OUT: ${{{{ runner.temp }}}}/out
    steps:
      - run: mkdir -p "$OUT" && printf %s "$RESULT" > "$OUT/result.json"
      - uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02
        with:
          name: result-${{{{ github.run_attempt }}}}
          path: ${{{{ runner.temp }}}}/out
"""
"""Takes what the bot sends, and every training ends well at once."""


class Desk:
    """A lab, and the controller as `Server` builds it."""

    def __init__(self, lab: Lab, folder: Path, script: Script) -> None:
        self.lab = lab
        self.script = script
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
        asker = Asker(self.ledger, lambda name: Scripted(name, script))
        self.controller = Controller(lab.app, self.ledger, asker, default_model="scripted")

    def look(self, number: int) -> float | None:
        return self.controller.look(Key(LAB, number))

    def train(self, number: int) -> None:
        """Looks, so that the training starts, and waits for its end."""
        self.look(number)
        [training] = self.lab.gateway.workflow_runs(number, since=LONG_AGO)
        self.lab.run(training.id)

    def said(self, number: int) -> str:
        return "\n\n".join(comment.body for comment in self.lab.gateway.comments(number) if comment.by_us)

    def labels(self, number: int) -> frozenset[str]:
        return self.lab.gateway.issue(number).labels


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"), workflow=WORKFLOW)
    yield lab
    lab.end()


@pytest.fixture
def sit(tmp_path: Path, lab: Lab) -> Iterator[Callable[..., Desk]]:
    sat: list[Desk] = []

    def begin(script: Script | None = None, *, at: Lab = lab) -> Desk:
        sat.append(Desk(at, tmp_path / f"desk-{len(sat)}", script or Script()))
        return sat[-1]

    yield begin
    for desk in sat:
        desk.ledger.close()


def test_looks_take_an_experiment_to_its_review_and_further_looks_change_nothing(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)
    desk.train(number)
    [pull] = desk.lab.gateway.pulls_from(f"experiment/{number}/run-1")
    assert desk.look(number) is None
    said, calls = desk.said(number) + desk.said(pull.number), len(desk.script.prompts)
    assert "Waiting for your review, run 1" in said
    assert desk.look(number) is None
    assert (desk.said(number) + desk.said(pull.number), len(desk.script.prompts)) == (said, calls)


def test_the_number_of_a_pull_request_leads_to_its_experiment(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue()
    desk.lab.branch(f"experiment/{number}/run-1", {"a.txt": "a"})
    desk.lab.gateway.open_pull(branch=f"experiment/{number}/run-1", title="Run", body="")
    [pull] = desk.lab.gateway.pulls_from(f"experiment/{number}/run-1")
    assert desk.look(pull.number) is None
    assert desk.controller.queue.depth() == 1


def test_what_is_none_of_ours_is_left_alone(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue()
    desk.lab.branch("a-branch", {"a.txt": "a"})
    desk.lab.gateway.open_pull(branch="a-branch", title="A", body="")
    pull = desk.lab.gateway.pulls_from("a-branch")[0].number
    assert [desk.look(thread) for thread in (number, pull, 9999)] == [None, None, None]
    assert desk.said(number) + desk.said(pull) == ""
    assert desk.controller.queue.quiet()


def test_without_permission_nothing_is_asked_and_the_label_comes_off(sit: Callable[..., Desk]) -> None:
    desk = sit()
    with desk.lab.person("mallory", role="triage") as mallory:
        number = desk.lab.issue(EXPERIMENT, by=mallory)
    assert desk.look(number) is None
    assert desk.labels(number) == frozenset()
    assert desk.said(number).count("I took the label `experiment` off") == 1
    assert desk.script.prompts == []


def test_a_model_that_cannot_pauses_the_experiment_once(sit: Callable[..., Desk]) -> None:
    desk = sit(Script(planner=["## Cannot\nI know only text."]))
    number = desk.lab.issue(EXPERIMENT)
    for _ in range(3):
        assert desk.look(number) is None
    assert PAUSED in desk.labels(number)
    assert "I know only text." in desk.said(number)
    assert len(desk.script.prompts) == 1


def test_a_revision_that_fails_pauses_and_is_tried_again_once_somebody_resumes(sit: Callable[..., Desk]) -> None:
    desk = sit(Script(planner=[PLAN, "I would rather not.", "No.", REVISION]))
    number = desk.lab.issue(EXPERIMENT)
    desk.train(number)
    assert desk.look(number) is None
    desk.lab.ada.comment(number, "/revise-plan")
    for _ in range(2):
        assert desk.look(number) is None
    assert PAUSED in desk.labels(number)
    assert len(desk.script.asked(Role.PLANNER)) == 3
    desk.lab.ada.unlabel(number, PAUSED)
    assert desk.look(number) is None
    assert "The plan is revised" in desk.said(number)


def test_a_lab_without_a_workflow_is_told_so(sit: Callable[..., Desk], tmp_path: Path) -> None:
    bare = Lab(tmp_path / "bare", workflow="")
    number = bare.issue(EXPERIMENT)
    sit(at=bare).look(number)
    labels = bare.gateway.issue(number).labels
    bare.end()
    assert PAUSED in labels


def test_the_first_sweep_looks_at_every_open_experiment(
    sit: Callable[..., Desk],
) -> None:
    desk = sit()
    desk.lab.issue(EXPERIMENT)
    desk.lab.issue()
    desk.controller.sweep()
    assert desk.controller.queue.depth() == len(desk.lab.gateway.open_experiments())


def test_an_event_is_a_reason_to_look(sit: Callable[..., Desk]) -> None:
    desk = sit()
    body = b'{"action": "opened", "issue": {"number": 5}, "repository": {"full_name": "ada/lab"}}'
    for kind in ("issues", "issues", "ping"):
        desk.controller.notice(parse(kind=kind, guid="1", body=body))
    assert desk.controller.queue.depth() == 1
