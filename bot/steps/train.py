"""A training: started on GitHub, and cancelled there."""

import json
from dataclasses import replace

from bot.errors import LabConfigError, NotFound, Refused
from bot.events import INPUTS, request_name
from bot.experiment import Cancel, Dispatch, Experiment, Run, Training
from bot.gateway import Dispatched
from bot.lab import WORKFLOW_PATH
from bot.steps.hands import Hands


def dispatch(hands: Hands, x: Experiment, action: Dispatch) -> Experiment | None:
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
        made = hands.once(x, f"dispatch {request}", lambda: hands.gateway.dispatch(inputs))
    except NotFound:
        complaint = f"`{WORKFLOW_PATH}` is missing on `{hands.gateway.main}`: nothing can train."
        raise LabConfigError(complaint) from None
    except Refused as error:
        raise LabConfigError(f"`{WORKFLOW_PATH}` cannot be started. {error}") from None
    return x.with_run(_with(run, _started(hands, action, made))) if made else None


def _started(hands: Hands, action: Dispatch, made: Dispatched) -> Training:
    assert action.run.pull is not None
    return Training(
        id=made.id,
        attempt=1,
        inputs=action.inputs[:INPUTS],
        sha=action.run.pull.head,
        ordinal=action.ordinal,
        status="queued",
        conclusion=None,
        created=hands.clock(),
        url=made.url,
    )


def _with(run: Run, training: Training) -> Run:
    others = tuple(other for other in run.trainings if other.id != training.id)
    return replace(run, trainings=(*others, training))


def cancel(hands: Hands, x: Experiment, action: Cancel) -> Experiment:
    """GitHub gives the job ten seconds to end; nobody waits for it."""
    hands.gateway.cancel(action.training.id)
    ended = replace(action.training, status="completed", conclusion="cancelled", updated=hands.clock())
    run = next(run for run in x.runs if action.training in run.trainings)
    return x.with_run(_with(run, ended))
