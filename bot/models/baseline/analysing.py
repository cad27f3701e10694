"""The analysis of a run: every sentence rests on numbers that the prompt shows. Pure."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.facts import show
from bot.models.baseline import words
from bot.models.baseline.ahead import look
from bot.models.baseline.knobs import BY_NAME, explains
from bot.models.baseline.reading import Course, Figure, Question, Row, number
from bot.models.baseline.script import changes

_NGRAMS = ("unigram", "bigram", "trigram", "fourgram", "ngram", "baseline")
_FALLING = 0.01  # part of a loss by which it has to fall over the last quarter to count as falling


@dataclass(frozen=True)
class Result:
    """The run in numbers: its value, the best before, and what is better in which direction."""

    question: Question
    figure: Figure | None
    gain: float | None
    step: str

    @property
    def verdict(self) -> str:
        return self.question.verdict

    @property
    def name(self) -> str:
        return self.question.metric.name if self.question.metric else ""


def analyze(question: Question) -> str:
    result = _result(question)
    ahead = look(question, gain=result.gain)
    paragraphs = [_verdict(result), " ".join([*_speed(result), *_learning(result)]), _caveat(result)]
    return words.reply(
        ("Analysis", "\n\n".join(filter(None, paragraphs))),
        ("Key findings", words.bullets(list(_findings(result))[:5])),
        ("Tasks", words.bullets(ahead.tasks or ["none"])),
        ("Recommendation", _recommendation(result)),
        ("Next", ahead.next),
    )


def _result(question: Question) -> Result:
    metric = question.metric
    figure = question.facts.figure(metric.name) if metric and question.verdict != "failed" else None
    gain = None
    if metric and figure and question.best_before is not None:
        difference = figure.value - question.best_before if question.difference is None else question.difference
        gain = -difference if metric.lower else difference
    steps = changes(question.change)
    step = words.listed([f"`{step.name}` {step.old} → {step.new}" for step in steps]) or "The first version"
    if not steps and (question.rows or question.best_before is not None):
        step = f"Run {question.run}"
    return Result(question, figure, gain, step)


def _verdict(result: Result) -> str:
    question, figure = result.question, result.figure
    if figure is None:
        reason = question.facts.reason.rstrip(".")
        return (
            f"The hypothesis is neither confirmed nor refuted: the run gave no value of `{result.name}`. Its status is "
            f"{question.facts.status}{f': {reason}' if reason else ''}."
        )
    if result.gain is None or question.best_before is None:
        against = _against_ngrams(result)
        return f"The first result: `{result.name}` is {figure.text}{f', {against}' if against else ''}."
    way = "fell" if (result.gain > 0) == bool(question.metric and question.metric.lower) else "rose"
    moved = f"`{result.name}` {way} from {show(question.best_before)} to {figure.text}"
    if result.gain == 0:
        return f"Not confirmed: `{result.name}` is {figure.text}, the same as the best before."
    part = f" ({words.percent(abs(result.gain / question.best_before))})" if question.best_before else ""
    confirmed = "Confirmed" if result.gain > 0 else "Not confirmed"
    expected = re.search(r"should (fall|rise) by about (\d+\.\d+)", question.expected)
    rather = f" Expected was that it would {expected[1]} by about {expected[2]}." if expected else ""
    return f"{confirmed}: with {result.step}, {moved}, by {words.apart(result.gain)}{part}.{rather}"


def _against_ngrams(result: Result) -> str:
    """How the value compares with the n-grams that train.py reported on the same bytes."""
    parts = []
    for other in result.question.facts.figures:
        kind = next((kind for kind in _NGRAMS if other.name.startswith(kind)), None)
        if kind and result.figure and other.name.rpartition("_")[2] == result.name.rpartition("_")[2]:
            difference = other.value - result.figure.value
            side = "below" if difference > 0 else "above"
            parts.append(f"{words.apart(difference)} {side} that of the {kind} ({other.text})")
    return f"{words.listed(parts)} on the same bytes" if parts else ""


def _speed(result: Result) -> Iterator[str]:
    """Steps and parameters, beside those of the best run before, as far as the findings tell them."""
    facts = result.question.facts
    steps, rate, parameters = (facts.figure(name) for name in ("steps", "steps_per_second", "parameters"))
    if steps is None or result.figure is None:
        return
    size = f" with {parameters.text} parameters" if parameters else ""
    yield f"The training made {steps.text} steps{f' ({rate.text} a second)' if rate else ''}{size}."
    leader = words.best_row(result.question)
    before = _steps_of(result.question, leader) if leader else None
    if leader and before and 0 < steps.value < math.inf:
        yield f"Run {leader.run} made {show(before)}: {_compared(steps.value / before, result.question.change)}."


def _compared(ratio: float, change: str) -> str:
    """What the number of steps says about the change, or about the machine where the change cannot have done it."""
    if 0.9 <= ratio <= 1.1:
        return "about as many, so the change costs no time per step that could be seen"
    more = (
        f"{ratio:.1f} times as many"
        if ratio >= 2
        else f"{words.percent(abs(ratio - 1))} {'more' if ratio > 1 else 'fewer'}"
    )
    if _could_explain(change, faster=ratio > 1):
        return f"this one saw {more} in the same budget, which is what the change costs or saves, or the machine"
    return (
        f"this one saw {more} in the same budget. `{changes(change)[0].name}` cannot have done that: the machine was "
        f"{'faster' if ratio > 1 else 'slower'} in this run, and so the comparison is not fair"
    )


def _could_explain(change: str, *, faster: bool) -> bool:
    """A change that nobody can read may have done anything."""
    steps = changes(change)
    known = [step for step in steps if step.name in BY_NAME]
    return len(known) < max(1, len(steps)) or any(
        explains(BY_NAME[step.name], step.old, step.new, faster=faster) for step in known
    )


def _steps_of(question: Question, row: Row) -> float | None:
    for finding in question.findings:
        found = re.search(r"([\d,]+) steps", finding.text) if finding.run == row.run else None
        if found:
            return number(found[1])
    return None


def _learning(result: Result) -> Iterator[str]:
    """Over- or underfitting and the end of the loss, as far as they were reported."""
    metric = result.question.metric
    if result.figure is None or metric is None or not metric.lower:
        return
    fitted = result.question.facts.figure(f"train_{result.name.rpartition('_')[2]}")
    if fitted and math.isfinite(fitted.value):
        gap = result.figure.value - fitted.value
        side = "above" if gap >= 0 else "below"
        meaning = _meaning(gap, fitted.value)
        yield f"`{result.name}` lies {words.apart(gap)} {side} `{fitted.name}` ({fitted.text}){meaning}."
    loss = next((course for course in result.question.facts.courses if "loss" in course.name), None)
    yield from _end_of(loss) if loss else ()


def _meaning(gap: float, fitted: float) -> str:
    """A rule of thumb, said with its numbers: a gap below a twentieth is no overfitting."""
    if fitted <= 0:
        return ""
    part = gap / fitted
    if part < 0.05:
        return f": {words.percent(part)}, so the training is too short rather than the data too few" if gap >= 0 else ""
    return f": {words.percent(part)}, so the model fits what it trained on better than what it did not see"


def _end_of(loss: Course) -> Iterator[str]:
    if len(loss.points) < 4:
        return
    (step, before), (last_step, last) = loss.points[-2:]
    was, is_ = number(before), number(last)
    if was is None or is_ is None or was <= 0:
        return
    falling = was - is_ > _FALLING * was
    state = "was still falling" if falling else "had stopped falling"
    yield f"The loss of single batches {state} at the end: {before} at step {step}, {last} at step {last_step}."


def _caveat(result: Result) -> str:
    if result.gain is None:
        return ""
    gains = [abs(row.delta) for row in result.question.rows if row.delta]
    small = (
        f", and it is smaller than any of the {len(gains)} differences before"
        if len(gains) > 1 and abs(result.gain) < min(gains)
        else ""
    )
    return (
        f"This is one training with one seed: how much of the difference of {words.apart(result.gain)} is chance, "
        f"these numbers do not tell{small}."
    )


def _findings(result: Result) -> Iterator[str]:
    question, figure = result.question, result.figure
    if figure is None:
        yield f"{result.step} gave no result: {question.facts.status}. {question.facts.reason}"
        return
    if question.best_before is None or result.gain is None:
        against = _against_ngrams(result)
        yield f"{result.step} reaches `{result.name}` {figure.text}{f': {against}' if against else ''}."
    else:
        verdict = "improved" if result.verdict == "improved" else "no gain"
        moved = f"{show(question.best_before)} → {figure.text} ({_signed(result)})"
        yield f"{result.step}: `{result.name}` {moved}, {verdict}."
    if speed := list(_speed(result)):
        yield " ".join(speed)
    if result.gain is None:
        yield from list(_learning(result))[:1]


def _signed(result: Result) -> str:
    assert result.gain is not None
    lower = result.question.metric is None or result.question.metric.lower
    return words.signed(-result.gain if lower else result.gain)


def _recommendation(result: Result) -> str:
    if result.verdict == "improved" and result.gain is None:
        return "merge: it is the first result, from which every later run is measured."
    if result.verdict == "improved":
        return (
            f"merge: the value of `{result.name}` is better than the best before by {words.apart(result.gain or 0.0)}."
        )
    if result.figure is None:
        return f"close: without a value of `{result.name}` there is nothing to keep."
    return (
        f"close: a `{result.name}` of {result.figure.text} is no better than the best before; the finding is kept, "
        "without the code."
    )
