"""The plan, and its revision. Pure."""

import re
from pathlib import Path

from bot import markdown
from bot.models.baseline import family, words
from bot.models.baseline.coding import search
from bot.models.baseline.knobs import BY_NAME, TASKS, TUNED_SECONDS
from bot.models.baseline.moves import PATIENCE, State, options
from bot.models.baseline.reading import Question
from bot.models.baseline.script import defaults
from bot.models.baseline.wishes import ASKED, Wishes, in_task
from bot.models.baseline.wishes import read as read_wishes

FIRST_TASK = "Measure the first version, and byte n-grams on the same held-out bytes"
_HEADINGS = ("What changed", "Plan", "Tasks", words.CANNOT)
_REVISED = "Revision"
_PLAN = Path(__file__).with_name("plan.md")


def plan(question: Question) -> str:
    why = family.outside(question.title, question.idea)
    if why:
        return words.declined(family.cannot(why))
    return words.reply(
        ("Plan", _plan(question)),
        ("Primary metric", f"`{family.METRIC}`, lower is better"),
        ("Tasks", _boxes([(task, False) for task in (FIRST_TASK, *TASKS)])),
    )


def _plan(question: Question) -> str:
    """plan.md, which is written to be read, with its numbers."""
    order = "\n".join(f"{number}. {line}" for number, line in enumerate(_order(question), start=1))
    values = {
        "metric": family.METRIC,
        "duration": words.duration(question.seconds),
        "tuned": TUNED_SECONDS,
        "patience": PATIENCE,
        "family": family.NAME,
        "configure": family.HOW_TO_CONFIGURE,
        "order": order,
    }
    return _PLAN.read_text(encoding="utf-8").format_map({**defaults(), **values})


def _order(question: Question) -> list[str]:
    state = State(defaults(), seconds=question.seconds)
    first: dict[str, float] = {}
    for move in options(state):
        first.setdefault(move.name, move.promise)
    names = [name for task in TASKS for name in in_task(task)]
    return [
        f"`{name}`, {BY_NAME[name].what}{_known(name)}: {BY_NAME[name].why}."
        for name in sorted(names, key=lambda n: -first.get(n, 0.0))
    ]


def _known(name: str) -> str:
    """What is known of the knob beforehand, in one parenthesis."""
    known = BY_NAME[name].known
    return f" ({'; '.join(f'{value}: {bpb:.2f}' for value, bpb in known.items())})" if len(known) > 1 else ""


def _boxes(tasks: list[tuple[str, bool]]) -> str:
    return "\n".join(f"- [{'x' if done else ' '}] {' '.join(text.split())}" for text, done in tasks)


# The revision


def revise(question: Question) -> str:
    """The plan as it is; the tasks by what they promise now, but what guidance names goes first, or out."""
    wishes = read_wishes(question.guidance)
    tasks = _tasks(question, wishes)
    said = _changed(question, wishes)
    return words.reply(
        ("What changed", " ".join(said)),
        ("Plan", _revised_plan(question, said)),
        ("Tasks", _boxes(tasks)),
    )


def _tasks(question: Question, wishes: Wishes) -> list[tuple[str, bool]]:
    """Asked for first, then open ones by promise, then the finished ones."""
    asked = [f"{ASKED}set `{name}` = {value}" for name, value in wishes.values.items()]
    asked += [f"{ASKED}vary {BY_NAME[name].what} (`{name}`)" for name in wishes.first]
    known = [(item.text, bool(item.done)) for item in question.tasks] or [
        (task, False) for task in (FIRST_TASK, *TASKS)
    ]
    done = [task for task, finished in known if finished]
    left = [kept for task, finished in known if not finished and (kept := _without(task, wishes.dropped))]
    left = [task for task in left if task not in asked]
    promise = {move.name: move.promise for move in reversed(options(search(question)))}
    left.sort(key=lambda task: -max((promise.get(name, 0.0) for name in in_task(task)), default=1.0))
    return [*((task, False) for task in [*asked, *left]), *((task, True) for task in done)]


def _without(task: str, dropped: tuple[str, ...]) -> str:
    """The task less what is not wanted; nothing when it named nothing else."""
    names = in_task(task)
    gone = [name for name in names if name in dropped]
    if gone and len(gone) == len(names):
        return ""
    for name in gone:
        task = re.sub(rf"`{name}`, |, `{name}`|`{name}`", "", task)
    return task


def _changed(question: Question, wishes: Wishes) -> list[str]:
    said = []
    if wishes.values:
        said.append(f"To be tried first, as asked: {words.listed([f'`{n}` {v}' for n, v in wishes.values.items()])}.")
    if wishes.first:
        said.append(f"Put first, as asked: {words.listed([f'`{name}`' for name in wishes.first])}.")
    if wishes.dropped:
        said.append(f"No longer varied, as asked: {words.listed([f'`{name}`' for name in wishes.dropped])}.")
    if wishes.unread:
        quoted = words.listed([f"“{_short(sentence)}”" for sentence in wishes.unread[:4]])
        said.append(f"I could not follow {quoted}: I am no language model and read only the names of settings.")
    leading = next((m for m in options(search(question)) if m.name not in wishes.dropped), None)
    others = "other " if wishes.values or wishes.first else ""
    order = f"The {others}open tasks are ordered by what they promise after the runs so far"
    said.append(f"{order}, `{leading.name}` before the rest." if leading else f"{order}.")
    return said


def _short(sentence: str) -> str:
    text = " ".join(re.sub(r"[`#<>|]", "", sentence).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def _revised_plan(question: Question, said: list[str]) -> str:
    """The plan less its title, its metric (which the bot writes) and the last revision; the rest stays as it is."""
    text = question.plan or _plan(question)
    for title in (_REVISED, "Primary metric"):
        found = markdown.section(text, title)
        text = markdown.replace(text, found, "") if found else text
    lines = text.splitlines()
    for section in reversed(markdown.sections(text)):
        if section.level == 1 and markdown.same(section.title, "Plan"):
            del lines[section.start : section.body]
        elif any(markdown.same(section.title, title) for title in _HEADINGS):
            lines[section.start : section.body] = [f"**{section.title}**"]
    kept = "\n".join(lines).strip()
    return f"{kept}\n\n### {_REVISED}\n\n{' '.join(said)}"
