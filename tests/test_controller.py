"""One look after the other, by hand: no queue, no webhook, no thread of the bot's."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.asking import Asker
from bot.controller import FULL_LOOK_EVERY, LEDGER_PAUSE, MODEL_PAUSE, SAID_AFTER, Controller
from bot.errors import LedgerError, ModelError, NotFound, SettingsError
from bot.events import Event, branch_of, parse, request_name
from bot.experiment import AGAIN, EXPERIMENT, PAUSED, UNSTARTED, Pull
from bot.lab import PATH as CONFIG
from bot.lab import WORKFLOW_PATH
from bot.ledger import Ledger
from bot.local.faults import Answer, Call
from bot.models.model import Prompt, Role
from bot.models.scripted import Scripted
from bot.queue import Key
from runner.result import Status
from tests.lab import Lab, json_answer, paths
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
        self.later = timedelta()
        self.controller = Controller(lab.app, self.ledger, asker, default_model="scripted", clock=self.clock)

    def clock(self) -> datetime:
        """`later` than it is."""
        return datetime.now(UTC) + self.later

    def look(self, number: int) -> float | None:
        return self.controller.look(Key(LAB, number))

    def train(self, number: int) -> None:
        """Looks, so that the training starts, and waits for its end."""
        self.look(number)
        newest = self.lab.gateway.workflow_runs(number, since=LONG_AGO)[-1]
        self.lab.run(newest.id)

    def pull(self, number: int, run: str = "1") -> Pull:
        found = self.lab.gateway.pull_from(branch_of(number, run))
        assert found
        return found

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
    pull = desk.pull(number)
    assert desk.look(number) is None
    said, calls = desk.said(number) + desk.said(pull.number), len(desk.script.prompts)
    assert "Waiting for your review, run 1" in said
    assert desk.look(number) is None
    assert (desk.said(number) + desk.said(pull.number), len(desk.script.prompts)) == (said, calls)


def test_the_number_of_a_pull_request_leads_to_its_experiment(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue()
    desk.lab.branch(f"experiment/{number}/run-1", {"a.txt": "a"})
    pull = desk.lab.gateway.open_pull(branch=f"experiment/{number}/run-1", title="Run", body="")
    assert pull
    assert desk.look(pull.number) is None
    assert desk.controller.queue.depth() == 1


def test_what_is_none_of_ours_is_left_alone(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue()
    desk.lab.branch("a-branch", {"a.txt": "a"})
    pull = desk.lab.gateway.open_pull(branch="a-branch", title="A", body="")
    assert pull
    desk.look(desk.lab.issue())
    with desk.lab.calls() as calls:
        assert desk.look(number) is None
    assert [path.partition("?")[0] for path in paths(calls)] == [f"/issues/{number}", f"/issues/{number}/timeline"]
    with desk.lab.calls() as calls:
        assert [desk.look(thread) for thread in (pull.number, 9999)] == [None, None]
    assert {call.method for call in calls} == {"GET"}
    assert desk.said(number) + desk.said(pull.number) == ""
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


def test_a_lab_without_a_workflow_is_told_so_and_goes_on_by_itself_once_it_has_one(
    sit: Callable[..., Desk], tmp_path: Path
) -> None:
    bare = Lab(tmp_path / "bare", workflow="")
    desk = sit(at=bare)
    number = bare.issue(EXPERIMENT)
    assert desk.look(number) == pytest.approx(AGAIN.total_seconds(), abs=60)
    assert "`.github/workflows/train.yml` is missing on `main`" in desk.said(number)
    assert PAUSED not in desk.labels(number)
    bare.push({WORKFLOW_PATH: WORKFLOW})
    desk.later = AGAIN
    desk.train(number)
    assert desk.look(number) is None
    assert "is missing" not in desk.said(number)
    bare.end()


def test_the_first_sweep_looks_at_every_open_experiment(
    sit: Callable[..., Desk],
) -> None:
    desk = sit()
    desk.lab.issue(EXPERIMENT)
    desk.lab.issue()
    desk.later = timedelta(days=2)  # everything happened long ago
    desk.controller.sweep()
    assert desk.controller.queue.depth() == len(desk.lab.gateway.open_experiments())


def test_a_second_sweep_of_a_quiet_lab_looks_at_nothing_and_costs_nothing(sit: Callable[..., Desk]) -> None:
    desk = sit()
    for _ in range(3):
        desk.controller.sweep()
    before = desk.controller.queue.depth()
    with desk.lab.calls() as calls:
        desk.controller.sweep()
    assert desk.controller.queue.depth() == before
    assert {call.status for call in calls if call.path.startswith(f"/repos/{LAB}")} == {304}


def test_a_sweep_finds_what_no_event_told(sit: Callable[..., Desk]) -> None:
    desk = sit()
    desk.controller.sweep()
    before = desk.controller.queue.depth()
    desk.lab.issue(EXPERIMENT)
    desk.lab.issue()
    desk.controller.sweep()
    assert desk.controller.queue.depth() == before + 2


def test_a_sweep_that_fails_is_made_up_for_by_the_next(sit: Callable[..., Desk]) -> None:
    desk = sit()
    desk.controller.sweep()
    before = desk.controller.queue.depth()
    desk.lab.issue(EXPERIMENT)
    with desk.lab.answering("/actions/workflows", Answer(403, {"message": "No"})):
        desk.controller.sweep()
    assert desk.controller.queue.depth() == before
    desk.controller.sweep()
    assert desk.controller.queue.depth() == before + 1


def test_once_a_day_every_open_experiment_is_looked_at_again(sit: Callable[..., Desk]) -> None:
    desk = sit()
    desk.controller.sweep()
    with desk.lab.calls() as calls:
        desk.controller.sweep()
        desk.later = FULL_LOOK_EVERY + timedelta(minutes=1)
        desk.controller.sweep()
    assert sum(path.startswith("/issues?labels=experiment") for path in paths(calls)) == 1


def test_a_change_of_the_configuration_concerns_every_open_experiment(sit: Callable[..., Desk]) -> None:
    desk = sit()
    desk.controller.sweep()
    desk.lab.push({CONFIG: "repairs: 1\n"})
    with desk.lab.calls() as calls:
        desk.controller.sweep()
    assert sum(path.startswith("/issues?labels=experiment") for path in paths(calls)) == 1


def test_an_event_is_a_reason_to_look(sit: Callable[..., Desk]) -> None:
    desk = sit()
    body = b'{"action": "opened", "issue": {"number": 5}, "repository": {"full_name": "ada/lab"}}'
    for kind in ("issues", "issues", "ping"):
        desk.controller.notice(parse(kind=kind, guid="1", body=body))
    assert desk.controller.queue.depth() == 1


def test_events_of_its_own_are_none(sit: Callable[..., Desk]) -> None:
    desk = sit()
    for sender, depth in (("trainwright[bot]", 0), ("trainwright", 1), ("ada", 1)):
        desk.controller.notice(event("issues", sender, issue={"number": 5}))
        assert desk.controller.queue.depth() == depth


def event(kind: str, sender: str, *, action: str = "edited", **payload: object) -> Event:
    told = {"action": action, "repository": {"full_name": LAB}, "sender": {"login": sender}, **payload}
    return parse(kind=kind, guid="1", body=json.dumps(told).encode())


def training_event(action: str, experiment: int) -> Event:
    title = f"Train #2 {'a' * 40} {request_name(experiment, '1', 'a' * 40, 1)}"
    return event("workflow_run", "trainwright[bot]", action=action, workflow_run={"display_title": title})


def test_of_a_training_s_own_events_its_end_counts(sit: Callable[..., Desk]) -> None:
    desk = sit()
    for action, depth in (("requested", 0), ("in_progress", 0), ("completed", 1)):
        desk.controller.notice(training_event(action, 5))
        assert desk.controller.queue.depth() == depth


def test_a_runner_that_was_missed_is_said_and_its_coming_is_news(sit: Callable[..., Desk], tmp_path: Path) -> None:
    """Two trainings, one runner."""
    hold = tmp_path / "hold"
    hold.touch()
    waiting = WORKFLOW.replace("mkdir", f"while [ -e {hold} ]; do sleep 0.05; done; mkdir")
    busy = Lab(tmp_path / "busy", workflow=waiting)
    desk = sit(Script(planner=[PLAN]), at=busy)
    numbers = busy.issue(EXPERIMENT), busy.issue(EXPERIMENT)
    looks = [desk.look(number) for number in numbers]
    desk.controller.notice(training_event("in_progress", numbers[1]))
    quiet = desk.controller.queue.quiet()
    desk.later = UNSTARTED + timedelta(minutes=2)
    looks += [desk.look(numbers[1])]
    said = desk.said(numbers[1])
    desk.controller.notice(training_event("in_progress", numbers[1]))
    hold.unlink()
    busy.end()
    assert all(looks)
    assert "No runner has taken [the training]" in said
    assert (quiet, desk.controller.queue.depth()) == (True, 1)


# What is asked of GitHub


def loads(calls: list[Call], number: int) -> int:
    """How often the experiment was loaded: each time its issue is read first."""
    return paths(calls).count(f"/issues/{number}")


def test_a_chain_of_steps_loads_once(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)
    with desk.lab.calls() as calls:
        desk.train(number)
    assert (loads(calls, number), len(desk.script.prompts)) == (1, 2)
    with desk.lab.calls() as calls:
        assert desk.look(number) is None
    assert (loads(calls, number), len(desk.script.prompts)) == (1, 4)
    desk.lab.ada.merge(desk.pull(number).number)
    with desk.lab.calls() as calls:
        assert desk.look(number)
    assert (loads(calls, number), len(desk.script.prompts)) == (1, 5)
    assert desk.pull(number, "2").open


def test_what_a_step_gives_is_what_github_then_shows(sit: Callable[..., Desk]) -> None:
    """Otherwise the next load would say or do something once more."""
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)
    desk.train(number)
    desk.look(number)
    with desk.lab.calls() as calls:
        assert desk.look(number) is None
    assert [call.path for call in calls if call.method != "GET"] == []


def test_news_during_the_steps_is_looked_at_before_the_next(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)

    def pause(prompt: Prompt) -> None:
        if prompt.role is Role.CODER:
            desk.lab.ada.label(number, PAUSED)
            desk.controller.notice(event("issues", "ada", issue={"number": number}))

    desk.script.meanwhile = pause
    with desk.lab.calls() as calls:
        assert desk.look(number) is None
    assert loads(calls, number) == 2
    assert "Paused by ada" in desk.said(number)
    assert desk.lab.gateway.pull_from(branch_of(number, "1")) is None


def test_lists_that_are_behind_are_asked_again_soon(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)
    with desk.lab.answering(f"/issues/{number}/timeline", json_answer("[]")):
        assert desk.look(number) == 1.0
    assert desk.look(number)


# What heals by itself


def test_a_model_without_a_reply_is_asked_again_later_and_later_and_said_the_second_time(
    sit: Callable[..., Desk],
) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)

    def fail(prompt: Prompt) -> None:
        raise ModelError("The server is down.")

    desk.script.meanwhile = fail
    waits = [desk.look(number) or 0.0 for _ in range(SAID_AFTER - 1)]
    assert "The server is down." not in desk.said(number)
    waits += [desk.look(number) or 0.0 for _ in range(10)]
    assert len(waits) == SAID_AFTER + 9
    assert waits == pytest.approx([min(600, MODEL_PAUSE * 2**n) for n in range(len(waits))], abs=2)
    assert desk.said(number).count("The model gives no reply: The server is down.") == 1
    assert PAUSED not in desk.labels(number)
    desk.script.meanwhile = lambda prompt: None
    desk.train(number)
    assert desk.look(number) is None
    assert "The server is down." not in desk.said(number)
    desk.script.meanwhile = fail
    desk.lab.ada.merge(desk.pull(number).number)
    assert desk.look(number) == pytest.approx(MODEL_PAUSE, abs=1)


def test_a_plan_without_a_metric_is_said_and_goes_on_once_it_has_one(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)
    desk.train(number)
    desk.look(number)
    desk.lab.ada.merge(desk.pull(number).number)
    path = f"experiments/{number}-fit-it/PLAN.md"
    plan = desk.lab.ada.read_file(path) or ""
    desk.lab.push({path: "# Plan\n"})
    assert desk.look(number) == pytest.approx(AGAIN.total_seconds(), abs=1)
    assert "has no primary metric" in desk.said(number)
    assert "I go on by myself" in desk.said(number)
    assert PAUSED not in desk.labels(number)
    desk.lab.push({path: plan})
    assert desk.look(number)
    assert "has no primary metric" not in desk.said(number)


def test_a_broken_configuration_is_said_and_goes_on_once_it_is_mended(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)
    desk.lab.push({CONFIG: "repairs: many\n"})
    assert desk.look(number) == pytest.approx(AGAIN.total_seconds(), abs=1)
    assert "`repairs`" in desk.said(number)
    assert desk.script.prompts == []
    desk.lab.push({CONFIG: "repairs: 1\n"})
    assert desk.look(number)
    assert "`repairs`" not in desk.said(number)


def test_a_model_that_nobody_has_is_said_and_goes_on_once_it_is_there(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)

    def fail(prompt: Prompt) -> None:
        raise SettingsError("OPENAI_API_KEY is not set.")

    desk.script.meanwhile = fail
    assert desk.look(number) == pytest.approx(AGAIN.total_seconds(), abs=1)
    assert "OPENAI_API_KEY is not set." in desk.said(number)
    desk.script.meanwhile = lambda prompt: None
    assert desk.look(number)
    assert PAUSED not in desk.labels(number)


def test_a_ledger_that_cannot_be_used_is_said_and_goes_on_once_it_can(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)

    def fail(prompt: Prompt) -> None:
        raise LedgerError("The disk is full.")

    desk.script.meanwhile = fail
    assert desk.look(number) == pytest.approx(LEDGER_PAUSE.total_seconds(), abs=1)
    assert "The disk is full." in desk.said(number)
    desk.script.meanwhile = lambda prompt: None
    assert desk.look(number)
    assert "The disk is full." not in desk.said(number)
    assert PAUSED not in desk.labels(number)


# A branch that conflicts with main


def test_what_people_wrote_on_either_side_is_kept_when_both_are_brought_together(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)
    for run in ("1", "2"):
        desk.train(number)
        assert desk.look(number) is None
        if run == "1":
            desk.lab.ada.merge(desk.pull(number).number)
    home, branch = f"experiments/{number}-fit-it", branch_of(number, "2")

    def edit(name: str, line: str, *, ref: str) -> None:
        text = desk.lab.ada.read_file(f"{home}/{name}", ref=ref) or ""
        desk.lab.ada.edit_file(f"{home}/{name}", f"{text}{line}\n", branch=ref)

    edit("EXPERIMENT_LOG.md", "The log, on the branch.", ref=branch)
    edit("IDEA.md", "The idea, on the branch.", ref=branch)
    code = desk.lab.ada.read_file(f"{home}/train.py") or ""
    desk.lab.push({f"{home}/train.py": code.replace("LOSS = 2.0", "LOSS = 9.0")})
    edit("TASKS.md", "- [ ] From main", ref="main")
    edit("PLAN.md", "The plan, on main.", ref="main")
    assert desk.pull(number, "2").mergeable is False
    assert desk.look(number) is None
    after = {
        name: desk.lab.ada.read_file(f"{home}/{name}", ref=branch) or ""
        for name in ("EXPERIMENT_LOG.md", "IDEA.md", "train.py", "TASKS.md", "PLAN.md")
    }
    assert "The log, on the branch." in after["EXPERIMENT_LOG.md"]
    assert "## Run 2" in after["EXPERIMENT_LOG.md"]
    assert "The idea, on the branch." in after["IDEA.md"]
    assert "LOSS = 1.5" in after["train.py"]
    assert "- [ ] From main" in after["TASKS.md"]
    assert "The plan, on main." in after["PLAN.md"]
    assert "Where both had changed: `train.py` is this run's." in desk.said(desk.pull(number, "2").number)
    assert desk.pull(number, "2").mergeable
    with desk.lab.calls() as calls:
        assert desk.look(number) is None
    assert [call.path for call in calls if call.method != "GET"] == []


# An issue that is gone, and one that is not


def gone(lab: Lab, number: int) -> AbstractContextManager[None]:
    """As GitHub answers of a deleted issue."""

    def answer(call: Call) -> None:
        if call.method == "GET" and call.path == f"/repos/{LAB}/issues/{number}":
            raise Answer(410, {"message": "This issue was deleted"})

    return lab.before(answer)


def test_of_an_issue_that_is_gone_its_pull_requests_are_told_once(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)
    desk.train(number)
    with gone(desk.lab, number):
        for _ in range(2):
            assert desk.look(number) is None
    said = desk.said(desk.pull(number).number)
    assert said.count("### The experiment has ended") == 1
    assert "This issue was deleted" in said
    assert len(desk.script.prompts) == 2


def test_something_else_that_is_gone_is_no_end_of_the_experiment(sit: Callable[..., Desk]) -> None:
    desk = sit()
    number = desk.lab.issue(EXPERIMENT)
    desk.train(number)
    with (
        desk.lab.answering("GET .*/artifacts/.*/zip", Answer(404, {"message": "Not Found"})),
        pytest.raises(NotFound),
    ):
        desk.look(number)
    assert "has ended" not in desk.said(desk.pull(number).number)
    assert desk.look(number) is None
    assert "Waiting for your review, run 1" in desk.said(number)
