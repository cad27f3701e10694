"""The end of a training: mended, concluded, or one more value; and what closed runs leave behind."""

from dataclasses import replace

from bot import prompts
from bot.carry import Carried, carry
from bot.documents import change_tasks, render_log
from bot.errors import Declined, ReplyError
from bot.experiment import Conclude, Experiment, Repair, Repeat, Run, Training, attempt_of
from bot.folder import CODE, LOG, PROGRESS_PLOT, TASKS, plot_path, record_path
from bot.outcome import lines, outcome_of
from bot.plots import draw_run
from bot.records import Attempt, Conclusion, Next, Record, to_json
from bot.records import Repair as Mend
from bot.steps.hands import Files, Hands, progress_plot
from bot.steps.plan import revised


def repair(hands: Hands, x: Experiment, action: Repair) -> Experiment:
    """A further commit on the same branch; where the model sees no mend, the run concludes as it is."""
    run, attempt = action.run, action.attempt
    assert run.record is not None
    assert run.pull is not None
    assert action.training.artifact is not None
    source = run.folder.text(CODE)
    prompt = prompts.repair(
        hands.context(x, run.folder, x.records),
        record=run.record,
        attempt=attempt,
        digest=action.training.artifact.digest,
        source=source,
    )
    try:
        told = hands.ask(x, prompt, lambda text: _mended(text, source), run=run.id, cause=attempt.key)
    except Declined:
        return conclude(hands, x, Conclude(run, action.training, attempt))
    code = told.value.code
    mend = Mend(
        attempt=attempt.key,
        cause=told.value.cause,
        fix=told.value.fix,
        inputs=run.folder.inputs_with({CODE: code}),
    )
    record = run.record.with_attempt(attempt, pull=run.pull.number)
    record = record.model_copy(update={"repairs": (*record.repairs, mend)})
    files: Files = {CODE: code, record_path(run.id): to_json(record.with_calls(told.calls))}
    return hands.add_commit(x, run, files, f"Run {run.id}: {mend.fix}")


def _mended(text: str, source: str) -> prompts.RepairReply:
    reply = prompts.read_repair(text)
    if reply.code.strip() == source.strip():
        raise ReplyError("The code is the same as before: nothing is mended.")
    return reply


def conclude(hands: Hands, x: Experiment, action: Conclude) -> Experiment:
    run = action.run
    record, conclusion = _concluded(hands, x, run, action.training, action.attempt)
    x = replace(x, runs=tuple(_with_record(r, record) if r.id == run.id else r for r in x.runs))
    tasks = change_tasks(run.folder.text(TASKS), record)
    files: Files = {TASKS: tasks}
    if conclusion.analysis.next is Next.REVISE:
        plan = revised(
            hands,
            x,
            run,
            record,
            occasion=f"The analysis of run {run.id} asks for it: {conclusion.analysis.next_because}",
            guidance="",
            cause=action.attempt.key,
            tasks=tasks,
        )
        files |= plan.value.files
        record = record.with_calls(plan.calls)
        x = replace(x, runs=tuple(_with_record(r, record) if r.id == run.id else r for r in x.runs))
    files |= _written(hands, x, run, record, conclusion)
    return hands.add_commit(x, run, files, f"Run {run.id}: {conclusion.verdict}")


def _written(hands: Hands, x: Experiment, run: Run, record: Record, conclusion: Conclusion) -> Files:
    """Record, log and plots of a concluded run."""
    log = render_log(run.folder.text(LOG), x.records, title=x.title, metric=record.metric, news=[record])
    files: Files = {
        record_path(run.id): to_json(record),
        LOG: log,
        PROGRESS_PLOT: progress_plot(x.records, record.metric),
    }
    if conclusion.curves:
        files[plot_path(run.id)] = draw_run(lines(conclusion), metric=record.metric.name, title=f"Run {run.id}")
    return files


def _concluded(
    hands: Hands, x: Experiment, run: Run, training: Training, attempt: Attempt
) -> tuple[Record, Conclusion]:
    """The run's record with the outcome of this training, its summary and its analysis. Writes nothing."""
    assert run.record is not None
    assert run.pull is not None
    assert training.artifact is not None
    record = run.record.with_attempt(attempt, pull=run.pull.number)
    before = x.best_before(run.id, record.metric)
    outcome = outcome_of(record, attempt, training.artifact.points, best_before=before.value if before else None)
    digest = training.artifact.digest
    cause = attempt.key
    summary = hands.ask(
        x,
        prompts.summarize(record=record, attempt=attempt, digest=digest),
        prompts.read_summary,
        run=run.id,
        cause=cause,
    )
    # The documents are the branch's, which has all that main has and more; the code to compare with is main's.
    folder = replace(run.folder, texts={**run.folder.texts, CODE: x.main.text(CODE)})
    prompt = prompts.analyze(
        hands.context(x, folder, tuple(r for r in x.records if r.run != run.id)),
        record=record,
        outcome=outcome,
        summary=summary.value,
        source=run.folder.text(CODE),
        runs_left=max(0, x.config.budget.runs - len(x.records)),
        best=before,
    )
    analysis = hands.ask(x, prompt, prompts.read_analysis, run=run.id, cause=cause)
    conclusion = Conclusion(**dict(outcome), summary=summary.value, analysis=analysis.value)
    record = record.model_copy(update={"conclusion": conclusion})
    return record.with_calls([*summary.calls, *analysis.calls]), conclusion


def repeat(hands: Hands, x: Experiment, action: Repeat) -> Experiment:
    run = action.run
    assert run.record is not None
    assert run.pull is not None
    record = run.record.with_attempt(action.attempt, pull=run.pull.number)
    return hands.add_commit(x, run, {record_path(run.id): to_json(record)}, f"Run {run.id}: trained once more")


def carried_over(hands: Hands, x: Experiment) -> Carried:
    """What closed runs leave to the next pull request."""
    return carry(x, settle=lambda run: _settled(hands, x, run), blob=hands.gateway.blob)


def _settled(hands: Hands, x: Experiment, run: Run) -> Record | None:
    """The record of a closed run, concluded if its training has ended and nobody has looked at it yet."""
    finished = next((t for t in run.trainings_of(run.folder.inputs) if t.artifact), None)
    if run.record is None or run.concluded or finished is None:
        return x.record(run.id)
    return _concluded(hands, x, run, finished, attempt_of(run, finished))[0]


def _with_record(run: Run, record: Record) -> Run:
    others = [other for other in run.folder.records if other.run != record.run]
    return replace(run, folder=replace(run.folder, records=(*others, record)))
