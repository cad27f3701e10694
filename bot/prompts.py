"""What models are asked, and what is made of their answers. Pure.

The words are in prompts/*.md, filled strictly: a variable that is missing is an error. A reply is Markdown; each kind
of reply is read into one dataclass, and what is missing or wrong is a complaint that the model can act on.
"""

import ast
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot import markdown, shipped
from bot.errors import Declined, ReplyError
from bot.facts import attempt_facts, machine, runs_table, show, show_change
from bot.folder import CODE, PLAN, TASKS, Folder
from bot.markdown import one_line
from bot.models.model import Prompt, Reply, Role
from bot.records import Analysis, Attempt, Metric, Next, Outcome, Proposal, Recommendation, Record, TaskChanges

MAX_FINDINGS = 5
FINDINGS_IN_PROMPT = 40


@dataclass(frozen=True)
class Context:
    """What every prompt of an experiment begins with."""

    issue: int
    title: str
    idea: str
    seconds: int
    records: tuple[Record, ...]
    folder: Folder

    def values(self) -> dict[str, object]:
        return {
            "issue": self.issue,
            "title": one_line(self.title),
            "idea": data(self.idea),
            "plan": data(self.folder.text(PLAN)),
            "seconds": self.seconds,
            "machine": one_line(machine(self.records)),
        }


def data(text: str) -> str:
    """Foreign text for between the lines `<<<` and `>>>`, which it cannot leave."""
    lines = "\n".join(text.strip().splitlines())  # a model sees the ends of lines that a regular expression does not
    return re.sub(r"^(\s*)(<<<|>>>)", r"\1\\\2", lines, flags=re.MULTILINE)


def plan(context: Context) -> Prompt:
    return _prompt(Role.PLANNER, "plan", {**context.values(), "plan": ""})


def code(
    context: Context, *, run: str, metric: Metric, last: Record | None, code_run: str | None, feedback: str = ""
) -> Prompt:
    """`code_run` is the run whose train.py is on main; `last` is the newest run of all, discarded or not."""
    source = context.folder.text(CODE)
    values = {
        **context.values(),
        **_history(context, metric),
        "run": run,
        "metric_name": metric.name,
        "metric_direction": metric.direction,
        "code": markdown.fenced(source, "python") if source else "",
        "code_run": code_run,
        "last": _told(last) if last else None,
        "feedback": data(feedback),
    }
    return _prompt(Role.CODER, "code", values)


def repair(context: Context, *, record: Record, attempt: Attempt, digest: str, source: str) -> Prompt:
    values = {
        **context.values(),
        "run": record.run,
        "metric_name": record.metric.name,
        "reason": broken_because(attempt, record.metric),
        "digest": markdown.fenced(digest),
        "code": markdown.fenced(source, "python"),
        "hypothesis": record.proposal.hypothesis,
    }
    return _prompt(Role.CODER, "repair", values)


def broken_because(attempt: Attempt, metric: Metric) -> str:
    if attempt.status == "ok":
        return f"train.py ended without reporting `{metric.name}` by `run.finish`."
    return attempt.reason


def summarize(*, record: Record, attempt: Attempt, digest: str) -> Prompt:
    values = {
        "run": record.run,
        "change": record.proposal.change,
        "facts": attempt_facts(attempt, record.metric),
        "digest": markdown.fenced(digest),
    }
    return _prompt(Role.SUMMARIZER, "summarize", values)


def analyze(
    context: Context,
    *,
    record: Record,
    outcome: Outcome,
    summary: str,
    source: str,
    runs_left: int,
    best: Record | None = None,
) -> Prompt:
    """`source` is what was trained, the context's own code that on main; `best` is the run to beat."""
    attempt = record.attempt(outcome.attempt)
    assert attempt is not None
    before = context.folder.text(CODE)
    values = {
        **context.values(),
        **_history(context, record.metric),
        "run": record.run,
        "hypothesis": record.proposal.hypothesis,
        "change": record.proposal.change,
        "expected": record.proposal.expected,
        "facts": attempt_facts(attempt, record.metric, outcome.curves),
        "metric_name": record.metric.name,
        "metric_direction": record.metric.direction,
        "verdict": outcome.verdict.value,
        "comparison": _comparison(outcome),
        "runs_left": runs_left,
        "best": _told(best) if best else None,
        "summary": data(summary),
        "diff_against_main": bool(before),
        "code": _difference(before, source) if before else markdown.fenced(source, "python"),
    }
    return _prompt(Role.ANALYST, "analyze", values)


def revise_plan(context: Context, *, metric: Metric, occasion: str, guidance: str) -> Prompt:
    values = {
        **context.values(),
        **_history(context, metric),
        "metric_name": metric.name,
        "metric_direction": metric.direction,
        "occasion": occasion,
        "guidance": data(guidance),
    }
    return _prompt(Role.PLANNER, "revise_plan", values)


def report(context: Context, *, metric: Metric, reason: str, best: Record | None) -> Prompt:
    values = {
        **context.values(),
        **_history(context, metric),
        "metric_name": metric.name,
        "metric_direction": metric.direction,
        "reason": reason,
        "best": _told(best) if best else None,
    }
    return _prompt(Role.REPORTER, "report", values)


def again(prompt: Prompt, reply: Reply, error: ReplyError) -> Prompt:
    """The same question once more, with the exact complaints."""
    text = fill("again", question=prompt.user, answer=data(reply.text), complaints=error.complaints)
    return Prompt(prompt.role, prompt.system, text)


def _prompt(role: Role, name: str, values: Mapping[str, object]) -> Prompt:
    return Prompt(role, fill("system"), fill(name, **values))


def fill(name: str, **values: object) -> str:
    """prompts/<name>.md with its variables; jinja2.UndefinedError names one that is missing."""
    text = _environment().get_template(f"{name}.md").render(values)
    tidy = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    return tidy.replace(_KEPT, "\n")


_KEPT = "\ue000"
"""Stands for the ends of lines in what is filled in, while those of the template are tidied: code stays as it is."""


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(shipped.path("prompts")),
        undefined=StrictUndefined,
        autoescape=False,
        finalize=lambda value: str(value).replace(_KEPT, "").replace("\n", _KEPT),
        keep_trailing_newline=True,
    )


def _history(context: Context, metric: Metric) -> dict[str, object]:
    findings = [
        {"run": record.run, "text": finding}
        for record in context.records
        if record.conclusion
        for finding in record.conclusion.analysis.findings
    ]
    return {
        "runs": runs_table(context.records, metric) if context.records else "No run yet.",
        "findings": findings[-FINDINGS_IN_PROMPT:],
        "tasks": data(context.folder.text(TASKS)),
    }


def _told(record: Record) -> dict[str, object]:
    conclusion, attempt = record.conclusion, record.decisive
    return {
        "run": record.run,
        "verdict": conclusion.verdict.value if conclusion else "no result",
        "discarded": record.discarded is not None,
        "change": record.proposal.change,
        "facts": attempt_facts(attempt, record.metric, conclusion.curves if conclusion else ()) if attempt else "",
        "summary": data(conclusion.summary) if conclusion else "No result.",
        "analysis": data(conclusion.analysis.text) if conclusion else "No result.",
    }


def _comparison(outcome: Outcome) -> str:
    if outcome.value is None:
        return ""
    if outcome.best_before is None:
        return " (the first result; nothing to compare it with)"
    change = show_change(outcome.value, outcome.best_before)
    return f" ({show(outcome.value)} against {show(outcome.best_before)}, the best before: {change})"


def _difference(before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "main/train.py", "run/train.py", lineterm="", n=1
    )
    return markdown.fenced("\n".join(lines) or "(no difference)", "diff")


# Replies


@dataclass(frozen=True)
class PlanReply:
    plan: str
    metric: Metric
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class CodeReply:
    proposal: Proposal
    code: str


@dataclass(frozen=True)
class RepairReply:
    cause: str
    fix: str
    code: str


@dataclass(frozen=True)
class RevisionReply:
    changed: str
    plan: str
    tasks: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class ReportReply:
    answer: str
    results: str
    limits: str
    next_steps: str


class _Reader:
    """The sections of one reply; collects everything that is wrong with it before it complains."""

    def __init__(self, text: str, *titles: str) -> None:
        self._complaints: list[str] = []
        self._text = re.sub(r"\r\n?", "\n", text)
        self._parts = _parts(self._text, titles)
        cannot = _parts(self._text, ["Cannot"])
        if cannot and not self._parts:
            raise Declined(cannot["Cannot"] or "The model gave no reason.")

    def text(self, title: str) -> str:
        found = self._parts.get(title)
        if found is None:
            self.complain(f"The heading `## {title}` is missing.")
        elif not found:
            self.complain(f"There is nothing below `## {title}`.")
        return found or ""

    def line(self, title: str) -> str:
        return " ".join(self.text(title).split())

    def items(self, title: str) -> tuple[markdown.Item, ...]:
        found = self.text(title)
        entries = markdown.items(found)
        if found and not entries:
            self.complain(f"Below `## {title}` there should be a list, one entry a line, each beginning with `- `.")
        return entries

    def code(self, title: str) -> str:
        """The longest Python fence of the section, or of the whole reply; it must parse."""
        found = markdown.fences(self._parts.get(title, "")) or markdown.fences(self._text)
        named = [fence.code for fence in found if fence.language in ("python", "py")]
        python = named or [fence.code for fence in found if not fence.language]
        if not python:
            self.complain(
                f"Below `## {title}` there should be the complete file in one fence that begins with ```python."
            )
            return ""
        source = max(python, key=len)
        try:
            if not ast.parse(source).body:
                self.complain("The code is empty.")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.complain(f"The code does not parse as Python: {error}.")
        return source

    def choice(self, title: str, choices: Sequence[str]) -> tuple[str, str]:
        """`merge: because …` → (merge, because …)"""
        match = re.match(r"[\W_]*([^\W_]+)[*_`]*\s*[:.,–—-]*[*_`]*\s+(.*)", self.line(title) + " ")
        word = match[1].lower() if match else ""
        if self._parts.get(title) and word not in choices:
            options = ", ".join(f"`{choice}`" for choice in choices)
            self.complain(f"`## {title}` should begin with one of {options}, then a colon and the reason.")
        return word, match[2].strip() if match else ""

    def complain(self, complaint: str) -> None:
        self._complaints.append(complaint)

    def check(self) -> None:
        if self._complaints:
            raise ReplyError(*self._complaints)


def _parts(text: str, titles: Sequence[str]) -> dict[str, str]:
    """What stands below each named heading, up to the next one, at whatever level the reply has them.

    A deeper heading of the same name belongs to the section in which it stands.
    """
    named = [
        (title, found) for found in markdown.sections(text) for title in titles if markdown.same(found.title, title)
    ]
    level = {title: min(found.level for other, found in named if other == title) for title, _ in named}
    named = [(title, found) for title, found in named if found.level == level[title]]
    lines = markdown.lines(text)
    parts: dict[str, str] = {}
    for index, (title, found) in enumerate(named):
        end = named[index + 1][1].start if index + 1 < len(named) else len(lines)
        parts.setdefault(title, "".join(lines[found.body : end]).strip())
    return parts


def read_plan(text: str) -> PlanReply:
    reply = _Reader(text, "Plan", "Primary metric", "Tasks")
    plan, metric = reply.text("Plan"), read_metric(reply.text("Primary metric"))
    tasks = tuple(item.text for item in reply.items("Tasks"))
    if metric is None:
        reply.complain(
            "`## Primary metric` should be one line: the name in backticks (letters, digits, `_`), "
            "then `lower is better` or `higher is better`."
        )
    reply.check()
    assert metric is not None
    return PlanReply(plan, metric, tasks)


def read_metric(text: str) -> Metric | None:
    """A metric as plans declare it: "`val_bpb`, lower is better"."""
    name = re.search(r"`([A-Za-z][\w./@-]{0,63})`", text, re.ASCII)
    direction = re.search(r"\b(lower|higher|smaller|larger|minimi[sz]e|maximi[sz]e)\b", text, re.IGNORECASE)
    if not name or not direction:
        return None
    lower = direction[1].lower().startswith(("lower", "smaller", "mini"))
    return Metric(name=name[1], direction="lower" if lower else "higher")


def read_code(text: str) -> CodeReply:
    reply = _Reader(text, "Hypothesis", "Change", "Tasks", "Expected effect", "Code")
    proposal = Proposal(
        hypothesis=reply.line("Hypothesis"),
        change=reply.line("Change"),
        tasks=tuple(item.text for item in reply.items("Tasks")),
        expected=reply.line("Expected effect"),
    )
    source = reply.code("Code")
    reply.check()
    return CodeReply(proposal, source)


def read_repair(text: str) -> RepairReply:
    reply = _Reader(text, "Cause", "Fix", "Code")
    found = RepairReply(reply.line("Cause"), reply.line("Fix"), reply.code("Code"))
    reply.check()
    return found


def read_summary(text: str) -> str:
    reply = _Reader(text, "Summary")
    found = reply.text("Summary")
    reply.check()
    return found


def read_analysis(text: str) -> Analysis:
    reply = _Reader(text, "Analysis", "Key findings", "Tasks", "Recommendation", "Next")
    body = reply.text("Analysis")
    findings = tuple(item.text for item in reply.items("Key findings"))
    changes = _task_changes(reply)
    recommendation, because = reply.choice("Recommendation", list(Recommendation))
    next_, next_because = reply.choice("Next", list(Next))
    reply.check()
    return Analysis(
        text=body,
        findings=findings[:MAX_FINDINGS],
        recommendation=Recommendation(recommendation),
        recommended_because=because,
        next=Next(next_),
        next_because=next_because,
        tasks=changes,
    )


def _task_changes(reply: _Reader) -> TaskChanges:
    found: dict[str, list[str]] = {"done": [], "add": [], "drop": []}
    if re.fullmatch(r"\W*none\W*", reply.text("Tasks"), re.IGNORECASE):
        return TaskChanges()
    for item in reply.items("Tasks"):
        # In backticks stands the word, the whole entry, or a name within the task.
        entry = re.sub(r"^`([^`]*)`$", r"\1", item.text)
        match = re.match(r"[*_`]*(done|add|drop|none)\b[*_`]*\s*:?[*_`]*(?:\s+(.*)|$)", entry, re.IGNORECASE)
        if match is None:
            reply.complain(f"In `## Tasks` the entry “{item.text[:80]}” should begin with `done:`, `add:` or `drop:`.")
        elif match[1].lower() != "none" and not match[2]:
            reply.complain(f"In `## Tasks` the entry “{item.text}” names no task.")
        elif match[1].lower() != "none":
            found[match[1].lower()].append(match[2])
    return TaskChanges(done=tuple(found["done"]), added=tuple(found["add"]), dropped=tuple(found["drop"]))


def read_revision(text: str) -> RevisionReply:
    reply = _Reader(text, "What changed", "Plan", "Tasks")
    tasks = tuple((item.text, bool(item.done)) for item in reply.items("Tasks"))
    found = RevisionReply(reply.text("What changed"), reply.text("Plan"), tasks)
    reply.check()
    return found


def read_report(text: str) -> ReportReply:
    reply = _Reader(text, "Answer", "Results", "Limits", "Next steps")
    found = ReportReply(*(reply.text(title) for title in ("Answer", "Results", "Limits", "Next steps")))
    reply.check()
    return found
