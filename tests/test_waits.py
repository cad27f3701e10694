"""What somebody else has to mend is said in the status comment, and the experiment goes on by itself when it is."""

import time
from collections.abc import Callable

import pytest

from bot import shipped
from bot.errors import ModelError
from bot.lab import PATH as CONFIG
from bot.models.model import Prompt, Role
from tests.story import Script, Story, trained

Tell = Callable[..., Story]


def test_a_model_that_is_down_is_waited_for(story: Tell) -> None:
    tale = story()
    down = True

    def fail(prompt: Prompt) -> None:
        if down and prompt.role is Role.CODER:
            raise ModelError("its server cannot be reached.")

    tale.script.meanwhile = fail
    tale.begin()
    tale.wait("a word on it", lambda: "The model gives no reply" in tale.status())
    assert "its server cannot be reached." in tale.status()
    assert "paused" not in tale.labels()
    down = False
    tale.concluded("1")
    assert "gives no reply" not in tale.wait("status", lambda: "review" in tale.status() and tale.status())
    assert len(tale.script.asked(Role.PLANNER)) == 1


def test_a_lab_without_a_workflow_goes_on_when_it_is_there(story: Tell) -> None:
    workflow = shipped.path(shipped.WORKFLOW).read_text()
    tale = story(files={shipped.WORKFLOW: b"on: push\n"})
    tale.begin()
    tale.wait("a word on it", lambda: "train.yml" in tale.status())
    assert "Mend it, and I go on by myself." in tale.status()
    tale.ada.edit_file(shipped.WORKFLOW, workflow)
    tale.sweep()
    tale.concluded("1")


def test_a_configuration_mended_on_main_is_noticed_by_the_sweep(story: Tell) -> None:
    tale = story()
    good = tale.ada.read_file(CONFIG)
    assert good
    tale.ada.edit_file(CONFIG, good.replace("runs:", "rnus:"))
    tale.begin()
    tale.wait("a word on it", lambda: "`budget.rnus`" in tale.status())
    assert "line" in tale.status()
    tale.sweep()
    time.sleep(0.5)
    assert tale.pull("1") is None
    tale.ada.edit_file(CONFIG, good)
    tale.sweep()
    tale.concluded("1")


@pytest.mark.slow
def test_a_plan_without_a_metric_is_told_and_goes_on_when_it_has_one(story: Tell) -> None:
    tale = story(runs=3)
    tale.begin()
    first = tale.concluded("1")
    tale.edit("PLAN.md", lambda text: text.replace("## Primary metric", "## Something else"), ref=first["head"]["ref"])
    tale.ada.merge(first["number"])
    tale.wait("a word on it", lambda: "PLAN.md has no primary metric" in tale.status())
    assert len(tale.script.asked(Role.CODER)) == 1
    tale.edit("PLAN.md", lambda text: text.replace("## Something else", "## Primary metric"))
    tale.sweep()
    tale.concluded("2")


def test_a_training_whose_runner_died_is_trained_again(story: Tell) -> None:
    tale = story(script=Script(coder=[trained(2.0)]))
    tale.github.jobs.stop()
    tale.begin()
    first = tale.opened("1")
    tale.wait("training", tale.trainings)
    tale.github.jobs.start()
    first = tale.concluded("1")
    assert tale.record("1", first["head"]["ref"]).value == 2.0
