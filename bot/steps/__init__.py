"""perform(action): one short function per action. What is said is in comments.py, what is read in documents.py.

Every step can be cut off anywhere and taken again: model replies come from the ledger then, branches and pull requests
are found by name, comments by mark, and a branch moves only forward.
"""

from bot.experiment import (
    PAUSED,
    Action,
    Answer,
    Begin,
    Cancel,
    Close,
    Conclude,
    Dispatch,
    Experiment,
    OpenPull,
    Pause,
    Refuse,
    Repair,
    Repeat,
    Report,
    RevisePlan,
    Wait,
)  # fmt: skip
from bot.steps.answer import answer, post, refuse
from bot.steps.begin import begin, open_pull
from bot.steps.conclude import conclude, repair, repeat
from bot.steps.hands import Hands
from bot.steps.plan import revise_plan
from bot.steps.report import report
from bot.steps.train import cancel, dispatch

__all__ = ["Hands", "perform", "post"]


def perform(hands: Hands, x: Experiment, action: Action) -> None:
    """Do what `decide` named. Waiting is the controller's."""
    match action:
        case Refuse():
            refuse(hands, x, action)
        case Begin():
            begin(hands, x, action)
        case OpenPull():
            open_pull(hands, x, action)
        case Dispatch():
            dispatch(hands, x, action)
        case Cancel():
            cancel(hands, action)
        case Repair():
            repair(hands, x, action)
        case Conclude():
            conclude(hands, x, action)
        case Repeat():
            repeat(hands, x, action)
        case RevisePlan():
            revise_plan(hands, x, action)
        case Answer():
            answer(hands, x, action)
        case Report():
            report(hands, x, action)
        case Close():
            hands.gateway.close_issue(x.number)
        case Pause():
            hands.gateway.add_label(x.number, PAUSED)
        case Wait():
            raise AssertionError("waiting is the controller's")
