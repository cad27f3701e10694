"""What an analysis makes of a run for the work ahead: finished and new tasks, and the next step. Pure."""

from dataclasses import dataclass

from bot import markdown
from bot.models.baseline.coding import recognised
from bot.models.baseline.knobs import BY_NAME
from bot.models.baseline.moves import (
    BREAKING,
    GOOD_SIGN,
    PATIENCE,
    Ground,
    Move,
    State,
    Trial,
    after,
    best,
    exhausted,
    kept_settings,
    options,
    state_of,
)
from bot.models.baseline.planning import FIRST_TASK
from bot.models.baseline.reading import Question, Row
from bot.models.baseline.script import changes, defaults, settings
from bot.models.baseline.wishes import ASKED, in_task, open_knobs


@dataclass(frozen=True)
class Ahead:
    """`tasks` are changes to TASKS.md, `next` is the word and the reason, both as the prompt wants them."""

    tasks: tuple[str, ...]
    next: str


def look(question: Question, *, gain: float | None) -> Ahead:
    """`gain` is what the run gained over the best before it, as far as both have a value."""
    state = _state_after(question, gain)
    return Ahead(tuple(_task_changes(question, state)), _next(question, state))


def _state_after(question: Question, gain: float | None) -> State | None:
    """The search as it will stand when the recommendation is followed; None when the code is not of the family."""
    whole = "" if question.code.startswith("--- main/") else question.code
    if whole and not recognised(whole):
        return None
    if whole:
        present = settings(whole)
        steps = state_of(question.rows, present, present).trials
        broken = question.facts.status if question.verdict == "failed" else ""
        state = State(present, steps, broken)
    else:
        present = kept_settings(question.rows, defaults())
        state = state_of(question.rows, present, present)
    trial = _trial(question, gain)
    if trial and not whole:
        state = after(state, trial)
    elif trial:
        state = State(state.settings, (*state.trials, trial), state.broken)
    return State(state.settings, state.trials, state.broken, _open_after(question), question.seconds)


def _trial(question: Question, gain: float | None) -> Trial | None:
    steps = changes(question.change)
    if len({step.name for step in steps}) != 1:
        return None
    improved = question.verdict == "improved"
    return Trial(
        question.run,
        steps[0].name,
        steps[0].old,
        steps[0].new,
        question.verdict,
        question.facts.status,
        gain,
        improved,
    )


def _open_after(question: Question) -> frozenset[str] | None:
    """What TASKS.md leaves open, with the setting of this run: whether to go on with it is for the search to say."""
    found = open_knobs((item.text, bool(item.done)) for item in question.tasks)
    if found is None:
        return None
    return found | {change.name for change in changes(question.change)}


def _task_changes(question: Question, state: State | None) -> list[str]:
    """A task is done once all its settings were tried, and what is left to try of them becomes a task of its own."""
    if state is None:
        return []
    open_ = [item.text for item in question.tasks if not item.done]
    done = [task for task in open_ if _is_done(task, question, state)]
    still = {name for task in open_ if task not in done for name in in_task(task)}
    moves: dict[str, Move] = {}
    for move in options(state) if not state.broken else []:
        moves.setdefault(move.name, move)
    names = [name for task in done for name in in_task(task)]
    added = [_follow_up(moves[name]) for name in dict.fromkeys(names) if name in moves and name not in still]
    return [*(f"done: {task}" for task in done), *(f"add: {task}" for task in added)]


def _is_done(task: str, question: Question, state: State) -> bool:
    names = in_task(task)
    this = {change.name for change in changes(question.change)}
    if not names:
        return markdown.same(task, FIRST_TASK) and question.verdict != "failed"
    if not this & set(names):
        return False
    left = {move.name for move in options(state)}
    tried = {trial.name for trial in state.trials}
    return all(
        name not in left or (name in tried and (BY_NAME[name].ordered or task.startswith(ASKED))) for name in names
    )


def _follow_up(move: Move) -> str:
    words_of = {
        Ground.FURTHER: f"Take `{move.name}` further than {move.old}",
        Ground.OTHER_WAY: f"Take `{move.name}` the other way from {move.old}",
        Ground.BETWEEN: f"Try `{move.name}` {move.new}, between values that were tried",
    }
    return words_of.get(move.ground, f"Try other values of `{move.name}` than {move.old}")


def _next(question: Question, state: State | None) -> str:
    this = Row(question.run, question.change, None, None, question.verdict, question.facts.status, False)
    if state is None:
        return "continue: with the next open task of TASKS.md; this code has none of the settings that I know."
    if exhausted([*question.rows, this]):
        return f"complete: the last {PATIENCE} results brought no gain."
    move = best(state)
    if move is None and state.broken:
        more = "" if state.broken in BREAKING else ", and for such a failure I know no change of a setting"
        return f"blocked: the code gives no result ({state.broken}){more}."
    if move is None:
        return "complete: no change is left that I could try one at a time."
    budget = ", though the budget has no run left for it" if question.runs_left == 0 else ""
    return f"continue: next `{move.name}` {move.old} → {move.new}{budget}; {_worth(move)}."


def _worth(move: Move) -> str:
    if move.run:
        return f"half of what run {move.run} gained would be {move.promise:.3f}"
    if move.ground is Ground.MEND:
        return "it mends the training that gave no result"
    if move.ground is Ground.KNOWN and move.promise > GOOD_SIGN:
        return f"of what is left it promised most when the family was tuned ({move.promise:.2f})"
    return "of what is left it comes next"
