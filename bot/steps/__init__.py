"""perform(action): one short function per action. What is said is in comments.py, what is read in documents.py.

Every step can be cut off anywhere and taken again: model replies come from the ledger then, branches and pull requests
are found by name, comments by mark, and a branch moves only forward.
"""

from dataclasses import replace

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
    Rebuild,
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
from bot.steps.rebuild import rebuild
from bot.steps.report import report
from bot.steps.train import cancel, dispatch

__all__ = ["Hands", "perform", "post"]


def perform(hands: Hands, x: Experiment, action: Action) -> Experiment | None:
    """Do what `decide` named. The experiment as it is then; None when GitHub has to be asked.

    Waiting is the controller's.
    """
    match action:
        case Refuse():
            return refuse(hands, x, action)
        case Begin():
            return begin(hands, x, action)
        case OpenPull():
            return open_pull(hands, x, action)
        case Dispatch():
            return dispatch(hands, x, action)
        case Cancel():
            return cancel(hands, x, action)
        case Repair():
            return repair(hands, x, action)
        case Conclude():
            return conclude(hands, x, action)
        case Repeat():
            return repeat(hands, x, action)
        case Rebuild():
            return rebuild(hands, x, action)
        case RevisePlan():
            return revise_plan(hands, x, action)
        case Answer():
            return answer(hands, x, action)
        case Report():
            return report(hands, x, action)
        case Close():
            hands.gateway.close_issue(x.number)
            return replace(x, open=False)
        case Pause():
            hands.gateway.add_label(x.number, PAUSED)
            return replace(x, labels=x.labels | {PAUSED})
        case Wait():
            raise AssertionError("waiting is the controller's")
