"""A training: started on GitHub, and cancelled there."""

import json

from bot.errors import LabConfigError, Lagging, NotFound
from bot.events import request_name
from bot.experiment import Cancel, Dispatch, Experiment
from bot.lab import WORKFLOW_PATH
from bot.steps.hands import Hands


def dispatch(hands: Hands, x: Experiment, action: Dispatch) -> None:
    run, runner = action.run, x.config.runner
    assert run.pull is not None
    request = request_name(x.number, run.id, action.inputs, action.ordinal)
    inputs = {
        "pr": str(run.pull.number),
        "sha": run.pull.head,
        "request": request,
        "folder": run.folder.path,
        "seconds": str(runner.seconds),
        "hard_seconds": str(runner.limit),
        "labels": json.dumps(runner.labels),
        "sandbox": runner.sandbox,
    }
    try:
        hands.once(x, f"dispatch {request}", lambda: hands.gateway.dispatch(inputs))
    except NotFound:
        complaint = f"`{WORKFLOW_PATH}` is missing on `{hands.gateway.main}`: nothing can train."
        raise LabConfigError(complaint) from None


def cancel(hands: Hands, action: Cancel) -> None:
    hands.gateway.cancel(action.training.id)
    raise Lagging("GitHub gives a cancelled job ten seconds to end.", seconds=15)
