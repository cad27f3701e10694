"""The answers with code: a run's train.py, and the mending of one that broke. Pure."""

import re

from bot import markdown
from bot.models.baseline import family, words
from bot.models.baseline.knobs import BY_NAME, KNOBS, NOISE, START, TUNED_SECONDS, explains, hope
from bot.models.baseline.moves import Ground, Move, State, Trial, best, kept_settings, options, state_of
from bot.models.baseline.reading import Kind, Question
from bot.models.baseline.script import changes, defaults, literal, same, settings, template, wanted, with_settings
from bot.models.baseline.wishes import ASKED, in_task, open_knobs, with_name

_RECOGNISED = 3  # settings that a train.py has to have to count as one of the family
_MENDED = {
    "timeout": "makes a step and the evaluation cheaper",
    "hung": "makes a step and the evaluation cheaper",
    "out-of-memory": "needs less memory",
    "diverged": "takes smaller steps",
}
_READABLE = (
    "Of a reviewer's words I can follow only `NAME = value` and `NAME`: old → new, with a setting of `train.py`."
)


def write(question: Question) -> str:
    """The next run's code: what a reviewer asks for, else the move that promises most."""
    metric = question.metric
    if metric is None or metric.name != family.METRIC or not metric.lower:
        named = words.code(metric.name) if metric else "none that I can read"
        return words.declined(family.cannot(f"The plan's primary metric is {named}."))
    if not question.code and (why := family.outside(question.title, question.idea)):
        return words.declined(family.cannot(why))
    if question.code and not recognised(question.code):
        return words.declined(family.cannot("The `train.py` on main has none of the settings that I know how to vary."))
    if question.feedback:
        return _follow(question)
    if not question.code and not question.rows:
        return _first(question)
    state = search(question)
    moves = (move for move in options(state) if _fits(question.code or template(), move))
    move = _asked(question, state) or next(moves, None)
    return _next(question, state, move) if move else words.declined(family.cannot(_no_move(state)))


def recognised(code: str) -> bool:
    """Whether this is the family's script, or one that a person made of it."""
    found = settings(code)
    return "run.finish" in code and sum(knob.name in found for knob in KNOBS) >= _RECOGNISED


def search(question: Question) -> State:
    """Where the search stands before the next run."""
    default = defaults()
    present = settings(question.code) if question.code else None
    if present is None and question.kind is not Kind.CODE and any(not row.discarded for row in question.rows):
        present = kept_settings(question.rows, default)
    state = state_of(question.rows, present, default)
    tasks = open_knobs((item.text, bool(item.done)) for item in question.tasks)
    return State(state.settings, state.trials, state.broken, tasks, question.seconds)


def _fits(code: str, move: Move) -> bool:
    """A word that the code does not know, a person's code perhaps, is no value for it."""
    word = literal(move.new)
    return not isinstance(word, str) or re.search(rf"\b{re.escape(word)}\b", code) is not None


def _asked(question: Question, state: State) -> Move | None:
    """What a person has put into TASKS.md: a value for a setting, or a setting to vary before all others."""
    for item in question.tasks:
        if item.done:
            continue
        for name, value in wanted(item.text).items():
            old = state.settings.get(name)
            if old is not None and not same(old, value) and not _was_tried(state, name, value):
                return Move(name, old, value, Ground.ASKED, 0.0)
    first = [item.text for item in question.tasks if not item.done and item.text.startswith(ASKED)]
    for task in first:
        found = best(State(state.settings, state.trials, state.broken, frozenset(in_task(task)), state.seconds))
        if found:
            return found
    return None


def _was_tried(state: State, name: str, value: str) -> bool:
    return any(trial.name == name and same(trial.new, value) for trial in state.trials)


def _no_move(state: State) -> str:
    if state.broken:
        return f"The code gives no result ({state.broken}), and no setting is left that could mend it."
    return (
        "No change is left that I could try: end the experiment with `/report`, or add a task such as “`WIDTH` = 96”."
    )


# The words


def _first(question: Question) -> str:
    present = defaults()
    duration = words.duration(question.seconds)
    expected = "`val_bpb` below that of byte trigrams on the same bytes; how far below is unknown at this budget."
    if question.seconds == TUNED_SECONDS:
        expected = (
            f"`val_bpb` of about {START:.2f} on two idle CPU cores, as estimated when this family was tuned; "
            "higher on a busy machine, which makes fewer steps."
        )
    return words.reply(
        (
            "Hypothesis",
            f"A small convolutional model of bytes, trained for {duration}, predicts held-out files better than byte "
            "trigrams counted on all of the training bytes.",
        ),
        (
            "Change",
            f"The first version: {present['DEPTH']} blocks of convolution and MLP, `WIDTH` {present['WIDTH']}, "
            f"`CONTEXT` {present['CONTEXT']}, `BATCH` {present['BATCH']}, AdamW with `LEARNING_RATE` "
            f"{present['LEARNING_RATE']}. It is plain: every later run changes one setting of it. Byte bigrams and "
            "trigrams are scored on the same held-out bytes.",
        ),
        ("Tasks", _tasks(question, None)),
        ("Expected effect", expected),
        ("Code", markdown.fenced(template(), "python")),
    )


def _next(question: Question, state: State, move: Move) -> str:
    start = with_settings(question.code or template(), state.settings)
    knob = BY_NAME.get(move.name)
    what = f" ({knob.what})" if knob else ""
    return words.reply(
        ("Hypothesis", _hypothesis(question, state, move)),
        ("Change", f"`{move.name}`: {move.old} → {move.new}{what}. {_because(state, move)}"),
        ("Tasks", _tasks(question, move.name)),
        ("Expected effect", _expected(question, state, move)),
        ("Code", markdown.fenced(with_settings(start, {move.name: move.new}), "python")),
    )


def _hypothesis(question: Question, state: State, move: Move) -> str:
    step = f"`{move.name}` {move.new} instead of {move.old}"
    if move.ground is Ground.MEND:
        return f"With {step} the training ends with a result, which it did not before ({state.broken})."
    leader = words.best_row(question)
    if leader is None:
        return f"With {step} the model reaches a lower `val_bpb`."
    return f"With {step} `val_bpb` falls below {words.value_of(leader)}, the best so far (run {leader.run})."


def _because(state: State, move: Move) -> str:
    last = next((trial for trial in reversed(state.trials) if trial.name == move.name), None)
    knob = BY_NAME.get(move.name)
    if move.ground is Ground.MEND:
        return f"The training ended as {state.broken}; this {_MENDED.get(state.broken, 'is the next thing to try')}."
    if move.ground is Ground.ASKED:
        return "TASKS.md asks for this value."
    if last and move.ground is Ground.FURTHER:
        gain = f" by {words.apart(last.gain)}" if last.gain else ""
        return f"The last step this way, in run {last.run}, improved `val_bpb`{gain}; this is the next one."
    if last and move.ground is Ground.OTHER_WAY:
        return f"{_tried(last)}, so the other way is tried."
    if last and move.ground is Ground.BETWEEN:
        return f"{_tried(last)}; this value lies between."
    if knob is None:
        return ""
    cheaper = knob.ordered and explains(knob, move.old, move.new, faster=True)
    room = " Here a step becomes cheaper, so that more of them fit." if cheaper else ""
    return f"The reason to try it: {knob.why}.{room}"


def _tried(trial: Trial) -> str:
    result = {
        "improved": "improved and was closed all the same",
        "no gain": "brought no gain",
        "failed": "gave no result",
    }
    how = f" ({trial.status})" if trial.status and trial.verdict == "failed" else ""
    return f"{trial.old} → {trial.new} {result.get(trial.verdict, 'has no result')}{how} in run {trial.run}"


def _expected(question: Question, state: State, move: Move) -> str:
    if move.ground is Ground.MEND:
        return "A value of `val_bpb` at all; how high is unknown."
    knob = BY_NAME.get(move.name)
    if move.ground is Ground.FURTHER and move.run:
        return (
            f"`val_bpb` should fall by about {move.promise:.3f}: half of what run {move.run} gained by the step before."
        )
    hoped = hope(knob, move.old, move.new, seconds=state.seconds) if knob else None
    if hoped is None:
        return "Unknown: `val_bpb` should fall, but nothing measured so far says by how much."
    way = f"fall by about {hoped:.3f}" if hoped > 0 else f"rise by about {-hoped:.3f}, if it is as it was then"
    noise = f" Two seeds differed by up to {NOISE} then, so that may have been chance." if abs(hoped) < NOISE else ""
    return (
        f"`val_bpb` should {way}: alone, upon {BY_NAME[move.name].upon}, this step went from "
        f"{_known(move, move.old)} to {_known(move, move.new)} when this family was tuned "
        f"(estimates for {TUNED_SECONDS} s of two idle CPU cores).{noise}"
    )


def _known(move: Move, value: str) -> str:
    known = BY_NAME[move.name].known
    return f"{next(bpb for text, bpb in known.items() if same(text, value)):.3f}"


def _tasks(question: Question, name: str | None) -> str:
    """The open tasks that this run works on, word for word."""
    tasks = [item.text for item in question.tasks if not item.done]
    found = with_name(tasks, [name]) if name else [task for task in tasks if "first version" in task][:1]
    return words.bullets(found or ["none of TASKS.md"])


# A reviewer's feedback


def _follow(question: Question) -> str:
    """The values that a reviewer names, upon what the run had changed before. All other words are out of reach."""
    base = question.code or template()
    present = settings(base)
    mine = {c.name: c.new for c in changes(question.last_change)} if question.last_run == question.run else {}
    values = {name: value for name, value in wanted(question.feedback).items() if name in present}
    if not values:
        known = words.listed([f"`{name}`" for name in present])
        return words.declined(family.cannot(f"{_READABLE} Here these are {known}. The feedback names none of them."))
    after = {name: value for name, value in (mine | values).items() if name in present}
    steps = [f"`{name}`: {present[name]} → {value}" for name, value in after.items() if not same(present[name], value)]
    change = f"{'; '.join(steps)}. The reviewer asks for {words.listed([f'`{n}` {v}' for n, v in values.items()])}."
    return words.reply(
        ("Hypothesis", f"With {words.listed([f'`{n}` {v}' for n, v in after.items()])} `val_bpb` falls."),
        ("Change", f"{change} {_READABLE}"),
        ("Tasks", _tasks(question, next(iter(values)))),
        ("Expected effect", "Unknown: the values are the reviewer's."),
        ("Code", markdown.fenced(with_settings(base, after), "python")),
    )


# A training that broke

_FAULTS = (
    (r"out of memory|OutOfMemory|MemoryError|can't allocate memory|CUBLAS_STATUS_ALLOC", ("BATCH", "CONTEXT", "WIDTH")),
    (r"not finite|became NaN|Diverged\b|loss is nan", ("LEARNING_RATE",)),
)


def repair(question: Question) -> str:
    """Two faults are known, and both are a setting's: too much memory, and a loss that is lost."""
    present = settings(question.code)
    for pattern, names in _FAULTS:
        found = re.search(pattern, f"{question.reason}\n{question.digest}", re.IGNORECASE)
        name = next((name for name in names if name in present and _halved(name, present[name])), None)
        if found and name:
            return _mended(question, name, present[name], _halved(name, present[name]), found[0])
    return words.declined(
        "I am `baseline`, no language model: I know how to mend only a training that ran out of memory or whose loss "
        f"was lost. This one broke otherwise: {question.reason[:300]} {family.HOW_TO_CONFIGURE}"
    )


def _halved(name: str, value: str) -> str:
    """Half of a whole number, a third of a learning rate; nothing where there is no such value."""
    if re.fullmatch(r"\d{1,9}", value):
        return str(int(value) // 2) if int(value) > 1 else ""
    if name == "LEARNING_RATE" and re.fullmatch(r"[\d.]+(e-?\d+)?", value, re.IGNORECASE):
        return f"{float(value) / 3:.1g}"
    return ""


def _mended(question: Question, name: str, old: str, new: str, found: str) -> str:
    return words.reply(
        ("Cause", f"The log says “{found}”: `{name}` {old} is too much here."),
        ("Fix", f"`{name}`: {old} → {new}. Nothing else is changed."),
        ("Code", markdown.fenced(with_settings(question.code, {name: new}), "python")),
    )
