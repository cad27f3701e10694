"""Every sentence that the bot posts. Pure."""

import re
from collections.abc import Iterator, Sequence

from bot import commands
from bot.errors import Declined, ModelError, ReplyError, TrainwrightError
from bot.experiment import (
    A_RUNNER,
    PAUSED,
    Action,
    Asked,
    Experiment,
    Pause,
    Run,
    Stage,
    Training,
    Wait,
    stage,
)  # fmt: skip
from bot.facts import (
    attempt_facts,
    cost_table,
    first_sentence,
    runs_table,
    show,
    show_change,
    show_dollars,
    show_seconds,
)
from bot.folder import LOG, PLAN, PROGRESS_PLOT, REPORT, TASKS, plot_path
from bot.lab import PATH as CONFIG
from bot.pieces import MAX_BODY, STATUS, CheckRun, Note
from bot.records import Attempt, Conclusion, Metric, Rebuilt, Record, Repair, Verdict, best, total
from bot.sanitise import safe, safe_line

CHECK = "trainwright / result"
MACHINES = ("the runner", A_RUNNER, "GitHub")
"""What one waits for on behalf of the open run."""
BUTTONS = (
    "**Merge** to keep this run's code and start the next run from it. **Close** to discard the code; the findings are "
    "kept. **Push** to `train.py` on this branch to train your version.\n"
    "Commands: `/revise-plan <guidance>` rewrites the plan; `/report` ends the experiment after this run; `/help`."
)
NO_LANGUAGE_MODEL = (
    "> [!NOTE]\n> Written by `baseline`, which is no language model: it searches by rule, one change at a time. "
    "A language model is configured in `.github/trainwright.yml` (`models: provider/name`)."
)


# The issue


def status_note(experiment: Experiment, step: Action) -> Note:
    records = experiment.records
    parts = [f"### {_stage_line(experiment, step)}", _waits_for(experiment, step)]
    metric = records[-1].metric if records else None
    if metric:
        parts += [_best_line(records, metric), runs_table(records, metric, clean=safe_line)]
        if any(record.value is not None for record in records) and PROGRESS_PLOT in experiment.main.entries:
            parts.append(image(experiment.main.commit, f"{experiment.main.path}/{PROGRESS_PLOT}", "Progress"))
    parts.append(_budget_line(experiment))
    parts.append(_files_line(experiment))
    return Note(experiment.number, STATUS, "\n\n".join(part for part in parts if part), current=True)


def _stage_line(experiment: Experiment, step: Action) -> str:
    if isinstance(step, Pause):
        return f"{STAGE_SIGNS[Stage.PAUSED]} {Stage.PAUSED.value.capitalize()}"
    here = stage(experiment)
    run = experiment.open_run
    which = f", run {run.id}" if run and here in (Stage.TRAINING, Stage.REVIEW) else ""
    return f"{STAGE_SIGNS[here]} {here.value.capitalize()}{which}"


STAGE_SIGNS = {
    Stage.PLANNING: "📝", Stage.TRAINING: "🏃", Stage.REVIEW: "👋", Stage.REPORT: "📄",
    Stage.PAUSED: "⏸️", Stage.DONE: "✅", Stage.STOPPED: "⏹️",
}  # fmt: skip


def _waits_for(experiment: Experiment, step: Action) -> str:
    if isinstance(step, Pause):
        return step.reason
    if isinstance(step, Wait):
        if experiment.paused_by:
            return f"Paused by {experiment.paused_by} with the label `paused`. {step.why}"
        run = experiment.open_run if step.for_whom in MACHINES else None
        return f"{step.why} (#{run.pull.number})" if run and run.pull else step.why
    return "Reading the idea and writing the plan and the first `train.py`."


def _best_line(records: Sequence[Record], metric: Metric) -> str:
    leader = best(records, metric)
    if leader is None or leader.value is None:
        return f"Primary metric: `{metric.name}`, {metric.direction} is better. No result yet."
    return f"**Best so far: `{metric.name}` {show(leader.value)}**, run {leader.run} ({metric.direction} is better)."


def _budget_line(experiment: Experiment) -> str:
    if experiment.config_error:
        return ""  # what it is nobody can read
    records, budget = experiment.records, experiment.config.budget
    minutes = sum(record.gpu_minutes for record in records)
    unpriced = any(call.dollars is None for record in records for call in record.calls)
    more = " (and calls of unknown price)" if unpriced else ""
    return (
        f"Budget: {len(records)} of {budget.runs} runs, ${experiment.dollars:.2f}{more} of ${budget.dollars:.2f}, "
        f"{show_seconds(60 * minutes)} of {show_seconds(60 * budget.gpu_minutes)} of training."
    )


def _files_line(experiment: Experiment) -> str:
    if not experiment.main.exists:
        return ""
    base = f"../blob/{experiment.main.commit}/{experiment.main.path}"
    names = [name for name in (PLAN, TASKS, LOG, REPORT) if name in experiment.main.entries]
    return "On main: " + " · ".join(f"[{name}]({base}/{name})" for name in names)


def refusal(reason: str) -> str:
    return (
        f"I took the label `experiment` off: {reason}\n\n"
        "An experiment spends GPU time and money, so only people with write permission can start one. "
        "A maintainer can read the idea and set the label."
    )


def stuck(error: Exception) -> str:
    """Why the experiment is paused, and how to go on."""
    resume = f"then take the label `{PAUSED}` off."
    if isinstance(error, Declined):
        return (
            f"The model says that it cannot do this:\n\n{safe(str(error))}\n\n"
            f"Configure a model that can in `{CONFIG}` on the default branch (`models: provider/name`), "
            f"or change the idea; {resume}"
        )
    if isinstance(error, ReplyError):
        return (
            f"The model's reply cannot be used, even after it was asked again:\n\n{safe(str(error))}\n\n"
            f"Try another model in `{CONFIG}`; {resume}"
        )
    if isinstance(error, TrainwrightError):
        return f"{safe(str(error))}\n\nMend it, {resume}"
    kind = type(error).__name__
    return f"Looking at this experiment failed again and again: `{kind}`. The server's log has the details; {resume}"


def blocked(error: TrainwrightError) -> str:
    """What somebody has to mend."""
    return f"{safe(str(error))}\n\nMend it, and I go on by myself."


def no_reply(error: ModelError) -> str:
    return (
        f"The model gives no reply: {safe_line(str(error))}\n\n"
        "I ask again from time to time and go on by myself. If it stays so, look at the model's server and key, or "
        f"configure another model in `{CONFIG}` on the default branch (`models: provider/name`)."
    )


# Pull requests


def pull_title(experiment: Experiment, run: Run) -> str:
    if run.record is None:
        return f"Report of experiment #{experiment.number}: {safe_line(experiment.title)}"[:250]
    change = first_sentence(run.record.proposal.change, most=100).rstrip(".")
    return f"Run {run.id} of #{experiment.number}: {safe_line(change)}"


def pull_body(experiment: Experiment, run: Run, record: Record) -> str:
    proposal = record.proposal
    parts = [
        f"Run {record.run} of experiment #{experiment.number}, *{safe_line(experiment.title)}*.",
        _where_it_stands(run, record),
        f"**Hypothesis.** {safe_line(proposal.hypothesis)}",
        f"**What changed.** {safe_line(proposal.change)}",
        f"**Expected.** {safe_line(proposal.expected)}",
        _tasks_worked_on(record),
        _carried(experiment, run),
        BUTTONS,
        _cost(record),
        NO_LANGUAGE_MODEL if any(call.model == "baseline" for call in record.calls) else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _where_it_stands(run: Run, record: Record) -> str:
    if run.concluded and record.conclusion:
        return f"### {headline(record, record.conclusion)}"
    return f"### 🏃 In training: the check `{CHECK}` follows it"


def headline(record: Record, conclusion: Conclusion) -> str:
    """`✅ improved: val_bpb 2.3127 (−0.0400 to the best before)`"""
    sign = {Verdict.IMPROVED: "✅", Verdict.NO_GAIN: "➖", Verdict.FAILED: "❌"}[conclusion.verdict]
    if conclusion.value is None:
        attempt = record.attempt(conclusion.attempt)
        return f"{sign} {conclusion.verdict}: {safe_line(attempt.reason) if attempt else 'no result'}"
    if conclusion.best_before is None:
        return f"{sign} {conclusion.verdict}: `{record.metric.name}` {show(conclusion.value)}, the first result"
    change = show_change(conclusion.value, conclusion.best_before)
    return f"{sign} {conclusion.verdict}: `{record.metric.name}` {show(conclusion.value)} ({change} to the best before)"


def _tasks_worked_on(record: Record) -> str:
    if not record.proposal.tasks:
        return ""
    return "**Tasks worked on.**\n" + "\n".join(f"- {safe_line(task)}" for task in record.proposal.tasks)


def _carried(experiment: Experiment, run: Run) -> str:
    on_main = {record.run for record in experiment.main.records}
    carried = [r for r in run.folder.records if r.run not in on_main and r.run != run.id]
    if not carried:
        return ""
    which = ", ".join(f"{record.run} (#{record.pull})" for record in carried)
    return f"Brings along the records and findings of closed runs: {which}."


def _cost(record: Record) -> str:
    if not record.calls:
        return ""
    training = show_seconds(60 * record.gpu_minutes)
    head = f"Cost so far: {show_dollars(total(record.calls))} for model calls, {training} of training"
    return folded(head, cost_table(record.calls))


def summary_note(pull: int, record: Record, conclusion: Conclusion) -> Note:
    attempt = record.attempt(conclusion.attempt)
    facts = folded("As reported by the training", safe(_facts(attempt, record, conclusion)))
    body = f"### Summary of the training\n\n{safe(conclusion.summary)}\n\n{facts if attempt else ''}"
    return Note(pull, f"summary {record.run} {conclusion.attempt}", body)


def sentence(text: str) -> str:
    """A reason, which models begin in lower case after a colon, as a sentence of its own."""
    return safe_line(text[:1].upper() + text[1:])


def _facts(attempt: Attempt | None, record: Record, conclusion: Conclusion) -> str:
    return attempt_facts(attempt, record.metric, conclusion.curves) if attempt else ""


def analysis_note(experiment: Experiment, run: Run, record: Record, conclusion: Conclusion) -> Note:
    assert run.pull is not None
    analysis = conclusion.analysis
    parts = [f"### {headline(record, conclusion)}", safe(analysis.text)]
    if plot_path(record.run) in run.folder.entries and run.concluded:
        parts.append(image(run.pull.head, f"{run.folder.path}/{plot_path(record.run)}", f"Run {record.run}"))
    if analysis.findings:
        parts.append("**Key findings**\n" + "\n".join(f"- {safe_line(finding)}" for finding in analysis.findings))
    parts.append(
        f"**Recommendation: {analysis.recommendation.value}.** {sentence(analysis.recommended_because)}\n"
        f"**Next: {analysis.next.value}.** {sentence(analysis.next_because)}"
    )
    return Note(run.pull.number, f"analysis {record.run} {conclusion.attempt}", "\n\n".join(parts))


def repair_note(pull: int, record: Record, repair: Repair, number: int) -> Note:
    attempt = record.attempt(repair.attempt)
    failure = attempt.failure if attempt else None
    error = safe_line(attempt.reason) if attempt else ""
    if failure:
        error = _quoted(f"{failure.type}: {failure.message}")
    where = f" at line {failure.line} of `train.py`" if failure and failure.line else ""
    cause, fix = safe_line(repair.cause), safe_line(repair.fix)
    body = (
        f"### 🔧 The training broke; mended ({number})\n\n{error}{where}\n\n"
        f"**Cause.** {cause}\n\n**Fix.** {fix}\n\nThe mended `train.py` is trained now."
    )
    return Note(pull, f"repair {record.run} {repair.attempt}", body)


def _quoted(text: str) -> str:
    """As code: an error, the name of a file."""
    return "`" + safe_line(text).replace("`", "'")[:300] + "`"


def rebuilt_note(pull: int, record: Record, rebuilt: Rebuilt) -> Note:
    kept = [f"{_quoted(name)} is main's" for name in rebuilt.from_main]
    kept += [f"{_quoted(name)} is this run's" for name in rebuilt.from_branch]
    both = f" Where both had changed: {', '.join(kept)}." if kept else ""
    body = f"### Brought together with main\n\nThis branch conflicted with `{rebuilt.main[:7]}` on main.{both}"
    return Note(pull, f"rebuilt {record.run} {rebuilt.main[:12]}", body)


def reopened_note(run: Run, successor: Run) -> Note:
    assert run.pull is not None
    where = f" (#{successor.pull.number})" if successor.pull else ""
    body = (
        f"### Opened again\n\nRun {successor.id}{where} has taken the place of this one, and trains and is reviewed "
        "now. Merging this one too brings its code to main, and I bring the other branch together with it. "
        "Close it to leave everything as it is."
    )
    return Note(run.pull.number, f"reopened {run.id} {successor.id}", body)


def gone_note(experiment: Experiment, run: Run) -> Note:
    assert run.pull is not None
    body = (
        f"### The experiment has ended\n\n{safe_line(experiment.gone)} Nothing is trained or written any more. "
        "This branch stays as it is: merge it or close it as you like. "
        "To go on, open a new issue with the label `experiment`."
    )
    return Note(run.pull.number, f"gone {experiment.number}", body)


def superseded_notes(run: Run) -> Iterator[Note]:
    """Trainings whose inputs the branch no longer has, and which no record has."""
    assert run.pull is not None
    for training in run.trainings:
        known = run.record and run.record.attempt(training.key)
        if not training.active and not training.of(run.folder.inputs) and not known and run.open:
            yield superseded_note(run.pull.number, training)


def superseded_note(pull: int, training: Training) -> Note:
    body = (
        f"[A training]({training.url}) of `{training.sha[:7]}` is superseded: the branch has new inputs since. "
        "Its result is not logged."
    )
    return Note(pull, f"superseded {training.key}", body)


def revision_body(asked_by: str, changed: str) -> str:
    where = f"`{PLAN}` and `{TASKS}` are rewritten on this branch, as {asked_by} asked."
    return f"### The plan is revised\n\n{safe(changed)}\n\n{where}"


def answer_body(experiment: Experiment, asked: Asked) -> str:
    """The answer to a command that changes no file."""
    name = asked.command.name
    if not asked.may:
        return f"`/{name}` counts only from people with write permission, which {asked.login} does not have here."
    if name == "report":
        when = "after the open run is merged or closed" if experiment.open_run else "now"
        return f"The report is written {when}; no further run is started."
    if name == "revise-plan":
        return "No run is open whose plan could be revised. When the experiment goes on, ask again on the next run."
    if name == "help":
        return _help("These commands count at the start of a line, from people with write permission:")
    nearest = commands.nearest(name)
    guess = f" Did you mean `/{nearest}`?" if nearest else ""
    return _help(f"`/{name}` is not available.{guess} These are:")


def _help(lead: str) -> str:
    lines = [f"- `/{name}`: {usage}" for name, usage in commands.KNOWN.items()]
    return "\n".join(
        [lead, "", *lines, "", "Merging and closing the pull requests, and pushing to them, steers as well."]
    )


def check_run(run: Run, record: Record) -> CheckRun | None:
    """`trainwright / result` on the head: the training in progress, then the verdict."""
    assert run.pull is not None
    inputs = run.folder.inputs
    external_id = f"{record.experiment}/{record.run}/{inputs[:12]}"
    trainings = run.trainings_of(inputs)
    url = trainings[-1].url if trainings else run.pull.url
    if run.concluded and record.conclusion:
        verdicts = {Verdict.IMPROVED: "success", Verdict.NO_GAIN: "neutral", Verdict.FAILED: "failure"}
        title = re.sub(r"[`✅➖❌]", "", headline(record, record.conclusion)).strip()[:250]
        attempt = record.attempt(record.conclusion.attempt)
        summary = _facts(attempt, record, record.conclusion)
        return CheckRun(
            run.pull.head,
            external_id,
            "completed",
            verdicts[record.conclusion.verdict],
            title,
            safe(summary)[:MAX_BODY],
            url,
        )
    if any(training.active for training in trainings):
        summary = f"[The training]({url}) is queued or running. Its end wakes the bot."
        return CheckRun(run.pull.head, external_id, "in_progress", None, "Training", summary, url)
    return None


def report_body(experiment: Experiment) -> str:
    return (
        f"The report of experiment #{experiment.number}, *{safe_line(experiment.title)}*.\n\n"
        f"**Merge** to put `{REPORT}` on main and end the experiment; the issue is closed. "
        f"**Close** to pause it instead: take the label `{PAUSED}` off the issue afterwards to go on with another run."
    )


def folded(head: str, text: str) -> str:
    return f"<details><summary>{head}</summary>\n\n{text}\n\n</details>"


def image(commit: str, path: str, title: str) -> str:
    """A committed picture that shows in private repositories too, and after the branch is gone."""
    return f"![{title}](../blob/{commit}/{path}?raw=true)"
