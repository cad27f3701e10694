"""The numbers of runs as Markdown: the same table and the same facts for people, documents and prompts. Pure."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from bot.markdown import cell, one_line, table
from bot.records import Attempt, Call, Curve, Metric, Record, total

MINUS = "\u2212"
_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\b[Ee]\.g\.)(?<!\b[Ii]\.e\.)(?<!\bvs\.)(?<!\bcf\.)\s+(?=[A-Z(`])")


def show(value: float) -> str:
    """A number with four decimals; fewer for large ones, and significant digits for very small and very large ones."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if not 1e-2 <= abs(value) < 1e4:
        return f"{value:.4g}"
    return f"{value:.{4 if abs(value) < 10 else 3 if abs(value) < 100 else 2}f}"


def show_change(value: float, before: float | None) -> str:
    """The difference to the best before, signed as it is: with a metric where lower is better a gain is negative."""
    if before is None:
        return "–"
    change = value - before
    return f"{MINUS if change < 0 else '+' if change > 0 else ''}{show(abs(change))}"


def show_dollars(dollars: Decimal | None) -> str:
    if dollars is None:
        return "unknown"
    return "$0" if dollars == 0 else f"${dollars:.4f}" if dollars < 1 else f"${dollars:.2f}"


def show_seconds(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def first_sentence(text: str, *, most: int = 140) -> str:
    """The first sentence of a text, in one line."""
    line = one_line(text)
    first = _SENTENCE_END.split(line, maxsplit=1)[0]
    return first if len(first) <= most else first[: most - 1].rsplit(" ", 1)[0] + "…"


def runs_table(records: Sequence[Record], metric: Metric, *, clean: Callable[[str], str] = str) -> str:
    """All runs: what was tried and what came out. `clean` makes a model's words safe where that matters."""
    head = ("Run", "PR", "Change", f"`{metric.name}`", "Δ to best", "Verdict", "Training", "Cost")
    return table(head, [_row(record, clean) for record in records])


def _row(record: Record, clean: Callable[[str], str]) -> tuple[str, ...]:
    conclusion = record.conclusion
    value = record.value
    verdict = conclusion.verdict.value if conclusion else "no result"
    if conclusion and record.decisive and record.decisive.status != "ok":
        verdict += f" ({record.decisive.status})"
    if record.discarded:
        verdict += ", discarded"
    return (
        record.run,
        f"#{record.pull}" if record.pull else "–",
        clean(cell(first_sentence(record.proposal.change))),
        show(value) if value is not None else "–",
        show_change(value, conclusion.best_before) if conclusion and value is not None else "–",
        cell(verdict),
        show_seconds(60 * record.gpu_minutes),
        show_dollars(record.dollars),
    )


def attempt_facts(attempt: Attempt, metric: Metric, curves: Sequence[Curve] = ()) -> str:
    """What a training gave, as a list: status, time, final metrics, and the course of what was logged."""
    lines = [
        f"- Status: {attempt.status}. {one_line(attempt.reason)}".rstrip(),
        f"- Time: {show_seconds(attempt.seconds)}",
    ]
    value = attempt.metrics.get(metric.name)
    lines.append(f"- `{metric.name}`: {show(value)}" if value is not None else f"- `{metric.name}`: not reported")
    lines += [f"- `{name}`: {show(other)}" for name, other in attempt.metrics.items() if name != metric.name]
    if attempt.failure:
        where = f" (line {attempt.failure.line} of train.py)" if attempt.failure.line else ""
        lines.append(f"- Error: {one_line(f'{attempt.failure.type}: {attempt.failure.message}')}{where}")
    lines += [f"- Course of `{curve.name}`: {course(curve)}" for curve in curves if len(curve.points) > 1]
    return "\n".join(lines)


def course(curve: Curve) -> str:
    """Start, quarters and end of a curve, each with its step."""
    last = len(curve.points) - 1
    indexes = sorted({0, last // 4, last // 2, 3 * last // 4, last})
    return " → ".join(f"{show(value)} at step {step:g}" for step, value in (curve.points[index] for index in indexes))


def machine(records: Iterable[Record]) -> str:
    """What the newest training said about its machine."""
    for record in sorted(records, key=lambda record: record.number, reverse=True):
        for attempt in reversed(record.attempts):
            if attempt.environment:
                return ", ".join(f"{name} {value}" for name, value in sorted(attempt.environment.items()))
    return "not known before the first training"


def cost_table(calls: Sequence[Call]) -> str:
    """What the model calls of a run used, by role."""
    rows = [
        _cost_row(role, [call for call in calls if call.role == role]) for role in dict.fromkeys(c.role for c in calls)
    ]
    return table(("Role", "Model", "Calls", "Tokens in", "Tokens out", "Cost"), rows)


def _cost_row(role: str, calls: Sequence[Call]) -> tuple[str, ...]:
    return (
        role,
        ", ".join(dict.fromkeys(f"`{call.model}`" for call in calls)),
        str(len(calls)),
        f"{sum(call.input for call in calls):,}",
        f"{sum(call.output for call in calls):,}",
        show_dollars(total(calls)),
    )
