"""IDEA, PLAN, TASKS, EXPERIMENT_LOG and REPORT: read tolerantly, rendered so that what people wrote stays. Pure."""

from collections.abc import Sequence

from bot import markdown
from bot.facts import attempt_facts, cost_table, runs_table, show_dollars, show_seconds
from bot.folder import PROGRESS_PLOT, plot_path
from bot.markdown import Item
from bot.prompts import ReportReply, read_metric
from bot.records import Call, Metric, Record, best, total

METRIC_TITLE = "Primary metric"
RUNS_TITLE = "Runs"


def render_idea(title: str, body: str, *, issue: int, author: str) -> str:
    origin = f"_The idea as it stood in #{issue}, by {author}, when the experiment began._"
    return f"# {_line(title)}\n\n{origin}\n\n{body.strip()}\n"


def render_plan(plan: str, metric: Metric) -> str:
    """The plan, with the primary metric under its own heading, where `plan_metric` finds it."""
    return f"# Plan\n\n{plan.strip()}\n\n## {METRIC_TITLE}\n\n`{metric.name}`, {metric.direction} is better.\n"


def plan_metric(plan: str) -> Metric | None:
    found = markdown.section(plan, METRIC_TITLE)
    return read_metric(markdown.body(plan, found)) if found else None


def render_tasks(tasks: Sequence[tuple[str, bool]]) -> str:
    return "# Tasks\n\n" + "".join(f"- [{'x' if done else ' '}] {_line(text)}\n" for text, done in tasks)


def change_tasks(text: str, record: Record) -> str:
    """TASKS.md after a run's analysis: ticked, dropped and added by text, every other line as it was."""
    if not record.conclusion:
        return text
    changes = record.conclusion.analysis.tasks
    lines = text.splitlines()
    for item in reversed(markdown.items(text)):
        if any(markdown.same(item.text, task) for task in changes.dropped):
            del lines[item.line]
        elif item.done is False and any(markdown.same(item.text, task) for task in changes.done):
            lines[item.line] = lines[item.line].replace("[ ]", "[x]", 1)
    known = [item.text for item in markdown.items(text)]
    new = [task for task in changes.added if not any(markdown.same(task, old) for old in known)]
    return "\n".join(lines + [f"- [ ] {_line(task)}" for task in new]).rstrip("\n") + "\n"


def open_tasks(text: str) -> tuple[Item, ...]:
    return tuple(item for item in markdown.items(text) if not item.done)


def render_log(text: str, records: Sequence[Record], *, title: str, metric: Metric, news: Sequence[Record]) -> str:
    """EXPERIMENT_LOG.md with the table of all runs, and a section for each run of `news`, new or written again."""
    text = text or f"# Experiment log: {_line(title)}\n"
    text = _put(text, RUNS_TITLE, _runs_section(records, metric))
    for record in news:
        text = _put(text, f"Run {record.run}", _run_section(record))
    return text


def _put(text: str, title: str, content: str) -> str:
    """Replace the section that begins with this title, or append it."""
    for found in markdown.sections(text):
        if found.level == 2 and (markdown.same(found.title, title) or found.title.startswith(f"{title}:")):
            return markdown.replace(text, found, content)
    return f"{text.rstrip()}\n\n{content.rstrip()}\n"


def _runs_section(records: Sequence[Record], metric: Metric) -> str:
    leader = best(records, metric)
    best_line = f"\n\nBest: run {leader.run}." if leader else ""
    return f"## {RUNS_TITLE}\n\n{runs_table(records, metric)}{best_line}\n\n![Progress]({PROGRESS_PLOT})\n"


def _run_section(record: Record) -> str:
    parts = [f"## Run {record.run}: {_line(record.proposal.hypothesis)}", _outcome(record), record.proposal.change]
    attempt = record.attempts[-1] if record.attempts else None
    if record.conclusion:
        attempt = record.attempt(record.conclusion.attempt)
    if attempt:
        parts.append(attempt_facts(attempt, record.metric))
    parts += [f"- Repaired: {repair.cause} {repair.fix}" for repair in record.repairs]
    if record.conclusion:
        analysis = record.conclusion.analysis
        parts += [f"![Run {record.run}]({plot_path(record.run)})"] if record.conclusion.curves else []
        parts += ["### Analysis", _below(analysis.text)]
        parts += ["### Key findings", "\n".join(f"- {finding}" for finding in analysis.findings)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _outcome(record: Record) -> str:
    verdict = record.conclusion.verdict.value if record.conclusion else "no result"
    pull = f" in #{record.pull}" if record.pull else ""
    if record.discarded:
        return f"**{verdict}**, **discarded**{pull}: {record.discarded.reason}"
    return f"**{verdict}**{pull}"


def _below(text: str) -> str:
    """Text of a model for inside a section: its own headings go below ours."""
    lines = text.strip().splitlines()
    for found in markdown.sections(text.strip()):
        lines[found.start] = f"**{found.title}**"
    return "\n".join(lines)


def render_report(
    reply: ReportReply,
    records: Sequence[Record],
    *,
    title: str,
    issue: int,
    metric: Metric,
    reason: str,
    calls: Sequence[Call],
) -> str:
    """REPORT.md: the reporter's words, and the numbers by code. `calls` are the report's own."""
    leader = best(records, metric)
    calls = [*(call for record in records for call in record.calls), *calls]
    minutes = sum(record.gpu_minutes for record in records)
    lead = f"The best run is run {leader.run}: {leader.proposal.change}" if leader else "No run gave a result."
    parts = [
        f"# Report: {_line(title)}",
        f"_Experiment #{issue}. {reason}_",
        "## Answer",
        _below(reply.answer),
        "## Runs",
        runs_table(records, metric),
        lead,
        *([attempt_facts(leader.attempts[-1], metric)] if leader else []),
        f"![Progress]({PROGRESS_PLOT})",
        "## Results",
        _below(reply.results),
        "## Limits",
        _below(reply.limits),
        "## Next steps",
        _below(reply.next_steps),
        "## Cost",
        f"{len(records)} runs, {show_seconds(60 * minutes)} of training, {show_dollars(total(calls))} for model calls.",
        cost_table(calls),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())
