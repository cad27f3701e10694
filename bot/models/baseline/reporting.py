"""The report of an experiment, from the table of its runs. Pure."""

from collections.abc import Callable

from bot.facts import show
from bot.models.baseline import family, words
from bot.models.baseline.coding import search
from bot.models.baseline.moves import options
from bot.models.baseline.reading import Question, Row
from bot.models.baseline.script import changes

_LISTED = 12  # runs named one by one


def report(question: Question) -> str:
    return words.reply(
        ("Answer", _answer(question)),
        ("Results", _results(question)),
        ("Limits", _limits(question)),
        ("Next steps", words.bullets(_next_steps(question))),
    )


def _answer(question: Question) -> str:
    leader = words.best_row(question)
    asked = f"The question was: {question.title.rstrip('.')}{'' if question.title.endswith('?') else '.'}"
    if leader is None or leader.value is None:
        runs = words.plural(len(question.rows), "run")
        return f"{asked} There is no answer: of {runs} none gave a value that was kept."
    name = question.metric.name if question.metric else "the metric"
    parts = [asked, f"The best value of `{name}` is {show(leader.value)}, in run {leader.run}."]
    first = next(row for row in question.rows if row.value is not None)
    if first.run != leader.run and first.value:
        difference = abs(first.value - leader.value)
        parts.append(
            f"Run {first.run}, the first with a result, had {words.value_of(first)}: a difference of "
            f"{words.apart(difference)} ({words.percent(difference / abs(first.value))})."
        )
    largest = max(_gained(question), key=_gain, default=None)
    if largest:
        parts.append(f"What mattered most was {_step(largest)}, with {words.apart(_gain(largest))} of it.")
    return " ".join([*parts, _beside(question, leader.value)]).strip()


def _beside(question: Question, value: float) -> str:
    """The n-grams that the best run reported."""
    found = [figure for figure in question.facts.figures if "gram" in figure.name]
    shown = [f"{figure.name.partition('_')[0]} {figure.text}" for figure in found]
    return f"On the same bytes: {words.listed(shown)}." if shown else ""


def _gain(row: Row) -> float:
    return abs(row.delta or 0.0)


def _gained(question: Question) -> list[Row]:
    rows = [row for row in question.rows if row.verdict == "improved" and row.delta and not row.discarded]
    return sorted(rows, key=lambda row: -_gain(row))


def _step(row: Row) -> str:
    steps = [f"`{change.name}` {change.old} → {change.new}" for change in changes(row.change)]
    return words.listed(steps) or f"the change of run {row.run}"


def _results(question: Question) -> str:
    kept = _gained(question)
    closed = [row for row in question.rows if row.verdict == "improved" and row.discarded]
    without = [row for row in question.rows if row.verdict == "no gain"]
    failed = [row for row in question.rows if row.failed]
    parts = [
        _list(
            "Helped and kept, the largest gain first:", kept, lambda row: f"{_step(row)} (run {row.run}): {_delta(row)}"
        ),
        _list("Improved, and closed all the same:", closed, lambda row: f"{_step(row)} (run {row.run}): {_delta(row)}"),
        _list("No gain over the best before:", without, lambda row: f"{_step(row)} (run {row.run}): {_delta(row)}"),
        _list("No result:", failed, lambda row: f"{_step(row)} (run {row.run}): {row.status or 'failed'}"),
    ]
    return "\n\n".join(filter(None, parts)) or "No change was tried upon the first version."


def _list(title: str, rows: list[Row], line: Callable[[Row], str]) -> str:
    if not rows:
        return ""
    more = [f"and {len(rows) - _LISTED} more in the table"] if len(rows) > _LISTED else []
    return f"{title}\n\n{words.bullets([*map(line, rows[:_LISTED]), *more])}"


def _delta(row: Row) -> str:
    return words.signed(row.delta) if row.delta is not None else "the first result"


def _limits(question: Question) -> str:
    results = sum(row.value is not None for row in question.rows)
    time = f" for {words.duration(question.seconds)}" if question.seconds else ""
    runs = words.plural(len(question.rows), "run")
    parts = [
        f"{runs}, {results} with a value, each trained once{time}: what of a difference is chance was not measured.",
        f"Machine: {question.machine}. The budget is time, so another machine, or this one under load, gives other "
        "numbers.",
        "The settings were changed one at a time, each upon what had been kept before: what two changes do together, "
        "or in another order, is not known.",
        "This report and the search were made by `baseline`, by rule; it is no language model and draws no conclusion "
        "beyond the numbers of the runs.",
    ]
    smallest = min(_gained(question), key=_gain, default=None)
    if smallest and len(_gained(question)) > 1:
        parts.insert(1, f"The smallest gain that was kept is {words.apart(_gain(smallest))} (run {smallest.run}).")
    return " ".join(parts)


def _next_steps(question: Question) -> list[str]:
    steps = []
    if any(row.value is not None for row in question.rows):
        steps.append("Train the best run again with other seeds, to learn how large a difference chance makes.")
    left = {move.name: move for move in reversed(options(search(question)))} if _is_ours(question) else {}
    moves = sorted(left.values(), key=lambda move: -move.promise)[:3]
    if moves:
        named = words.listed([f"`{move.name}` {move.old} → {move.new}" for move in moves])
        steps.append(f"Go on with the search: of what was not tried {named} would come next.")
    steps.append(
        "Give the best run several times the training time, and see whether the same settings are still the best."
    )
    steps.append(f"Have a language model continue from here. {family.HOW_TO_CONFIGURE}")
    return steps[:5]


def _is_ours(question: Question) -> bool:
    return question.metric is not None and question.metric.name == family.METRIC
