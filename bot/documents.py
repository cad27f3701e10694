"""IDEA, PLAN, TASKS, EXPERIMENT_LOG and REPORT: read tolerantly, rendered so that what people wrote stays. Pure."""

from collections.abc import Callable, Sequence

from bot import markdown
from bot.facts import attempt_facts, cost_table, runs_table, show_dollars, show_seconds
from bot.folder import PROGRESS_PLOT, plot_path
from bot.markdown import Item, one_line
from bot.prompts import ReportReply, read_metric
from bot.records import Call, Metric, Record, best, total

METRIC_TITLE = "Primary metric"
RUNS_TITLE = "Runs"


def render_idea(title: str, body: str, *, issue: int, author: str) -> str:
    origin = f"_The idea as it stood in #{issue}, by {author}, when the experiment began._"
    return f"# {one_line(title)}\n\n{origin}\n\n{body.strip()}\n"


def render_plan(plan: str, metric: Metric) -> str:
    """The plan, with the primary metric under its own heading, where `plan_metric` finds it, and nowhere else."""
    while found := markdown.section(plan, METRIC_TITLE):
        plan = markdown.replace(plan, found, "")
    plan = markdown.closed(plan.strip()).strip()
    return f"# Plan\n\n{plan}\n\n## {METRIC_TITLE}\n\n`{metric.name}`, {metric.direction} is better.\n"


def plan_metric(plan: str) -> Metric | None:
    found = markdown.section(plan, METRIC_TITLE)
    return read_metric(markdown.body(plan, found)) if found else None


def render_tasks(tasks: Sequence[tuple[str, bool]]) -> str:
    return "# Tasks\n\n" + "".join(f"- [{'x' if done else ' '}] {one_line(text)}\n" for text, done in tasks)


def change_tasks(text: str, record: Record) -> str:
    """TASKS.md after a run's analysis: ticked, dropped and added by text, every other line as it was."""
    if not record.conclusion:
        return text
    changes = record.conclusion.analysis.tasks
    text = _edited(text, changes.dropped, lambda item, source: "")
    for task in filter(str.strip, changes.added):
        if not any(markdown.same(task, item.text) for item in markdown.items(text)):
            text = _with_task(text, task)
    return _edited(text, changes.done, _ticked)


def _edited(text: str, tasks: Sequence[str], edit: Callable[[Item, str], str]) -> str:
    """The text with `edit` done to the lines of each entry that is one of these tasks."""
    lines = markdown.lines(text)
    for item in reversed(markdown.items(text)):
        if any(markdown.same(item.text, task) for task in tasks):
            lines[item.line : item.end] = [edit(item, "".join(lines[item.line : item.end]))]
    return "".join(lines)


def _ticked(item: Item, source: str) -> str:
    return source.replace("[ ]", "[x]", 1) if item.done is False else source


def _with_task(text: str, task: str) -> str:
    """One more entry at the end: of the list, where the document ends with one."""
    text = markdown.closed(text).rstrip("\r\n")
    entries = markdown.items(text)
    in_list = bool(entries) and entries[-1].end == len(markdown.lines(text))
    gap = "\n" if in_list else "\n\n" if text else ""
    return f"{text}{gap}- [ ] {one_line(task)}\n"


def render_log(text: str, records: Sequence[Record], *, title: str, metric: Metric, news: Sequence[Record]) -> str:
    """EXPERIMENT_LOG.md with the table of all runs, and a section for each run of `news`, new or written again."""
    text = text if text.strip() else f"# Experiment log: {one_line(title)}\n"
    text = _put(text, RUNS_TITLE, _runs_section(records, metric))
    for record in news:
        text = _put(text, f"Run {record.run}", _run_section(record))
    return text


def _put(text: str, title: str, content: str) -> str:
    """Replace the section that begins with this title, or append it."""
    content = markdown.closed(content)
    for found in markdown.sections(text):
        if found.level == 2 and (markdown.same(found.title, title) or found.title.startswith(f"{title}:")):
            return markdown.replace(text, found, content)
    return f"{markdown.closed(text).rstrip()}\n\n{content.rstrip()}\n"


def _runs_section(records: Sequence[Record], metric: Metric) -> str:
    leader = best(records, metric)
    best_line = f"\n\nBest: run {leader.run}." if leader else ""
    return f"## {RUNS_TITLE}\n\n{runs_table(records, metric)}{best_line}\n\n![Progress]({PROGRESS_PLOT})\n"


def _run_section(record: Record) -> str:
    proposal = record.proposal
    parts = [
        f"## Run {record.run}: {one_line(proposal.hypothesis)}",
        _outcome(record),
        _below(one_line(proposal.change)),
    ]
    if record.decisive:
        parts.append(attempt_facts(record.decisive, record.metric))
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
    """Text of a model for inside a section: its own headings go below ours, and it ends where it ends."""
    text = text.strip()
    lines = markdown.lines(text)
    for found in reversed(markdown.sections(text)):
        lines[found.start : found.body] = [f"#### {found.title}\n"]
    return markdown.closed("".join(lines)).strip()


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
        f"# Report: {one_line(title)}",
        f"_Experiment #{issue}. {reason}_",
        "## Answer",
        _below(reply.answer),
        "## Runs",
        runs_table(records, metric),
        lead,
        *([attempt_facts(leader.decisive, metric)] if leader and leader.decisive else []),
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
