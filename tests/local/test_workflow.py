"""A workflow file: what is read, what a dispatch must fit, what is refused by name."""

from pathlib import Path

import pytest

from bot.local.expressions import Unreadable
from bot.local.refusals import Invalid
from bot.local.workflow import CHECKOUT, UPLOAD, fit_inputs, read_dispatch, read_workflow

TRAIN = Path(__file__).with_name("train.yml").read_text()
SHIPPED = Path(__file__).parents[2] / ".github/workflows/train.yml"


def test_a_training_workflow_is_read() -> None:
    workflow = read_workflow(TRAIN, path="train.yml")
    [job] = workflow.jobs
    assert workflow.name == "Train"
    assert [step.uses for step in job.steps] == [CHECKOUT, "", "", "", UPLOAD]
    assert job.steps[1].id == "train"


def test_the_workflow_that_we_ship_is_read() -> None:
    workflow = read_workflow(SHIPPED.read_text(), path="train.yml")
    assert {step.uses for job in workflow.jobs for step in job.steps} == {CHECKOUT, "", UPLOAD}


def test_inputs_get_their_defaults() -> None:
    inputs = fit_inputs(read_dispatch(TRAIN), {"pr": "3", "request": "r"})
    assert inputs == {"pr": "3", "request": "r", "command": "true", "kind": "short"}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"pr": "3"}, "Required input 'request' not provided"),
        ({"pr": "3", "request": "r", "colour": "red"}, 'Unexpected inputs provided: ["colour"]'),
        ({"pr": "3", "request": "r", "kind": "endless"}, "Provided value 'endless' for input 'kind'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(given: dict[str, str], complaint: str) -> None:
    with pytest.raises(Invalid) as refused:
        fit_inputs(read_dispatch(TRAIN), given)
    assert complaint in str(refused.value)


def test_a_workflow_without_the_trigger_is_not_dispatched() -> None:
    for triggers in ("push", "[push, pull_request]", "{push: {}}"):
        with pytest.raises(Invalid, match="workflow_dispatch"):
            read_dispatch(f"on: {triggers}\njobs: {{}}")
    assert read_dispatch("on: workflow_dispatch\njobs: {}") == ()


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("uses: actions/checkout@", "uses: actions/setup-python@", "uses: actions/setup-python@"),
        ("path: lab", "submodules: lab", "`submodules`"),
        ("shell: bash", "shell: pwsh", "`shell: pwsh`"),
        ("runs-on:", "container: x\n    runs-on:", "`container` in job `train`"),
        ("github.run_attempt", "secrets.KEY", "`secrets`"),
        ("    steps:", "    strategy: {matrix: {a: [1]}}\n    steps:", "`strategy`"),
        ("jobs:", "on_fire: 1\njobs:", "`on_fire` in the workflow"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(old: str, new: str, named: str) -> None:
    assert old in TRAIN
    with pytest.raises(Unreadable) as refused:
        read_workflow(TRAIN.replace(old, new, 1), path="train.yml")
    assert named in str(refused.value)
