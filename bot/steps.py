"""perform(action): one short function per action. What is said is in comments.py, what is read in documents.py.

Every step can be cut off anywhere and taken again: model replies come from the ledger then, branches and pull requests
are found by name, comments by mark, and a branch moves only forward.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from bot import comments, prompts
from bot.asking import Asker, Told
from bot.carry import Carried, carry
from bot.desired import thread
from bot.documents import change_tasks, plan_metric, render_idea, render_log, render_plan, render_report, render_tasks
from bot.errors import DocumentError, Lagging, ReplyError
from bot.events import branch_of, report_branch, request_name
from bot.experiment import (
    EXPERIMENT,
    PAUSED,
    Action,
    Answer,
    Begin,
    Cancel,
    Close,
    Conclude,
    Dispatch,
    Experiment,
    OpenPull,
    Pause,
    Refuse,
    Repair,
    Repeat,
    Report,
    RevisePlan,
    Run,
    Training,
    Wait,
    attempt_of,
)  # fmt: skip
from bot.folder import (
    CODE,
    IDEA,
    LOG,
    PLAN,
    PROGRESS_PLOT,
    REPORT,
    TASKS,
    Folder,
    blob_sha,
    plot_path,
    record_path,
)  # fmt: skip
from bot.gateway import Gateway
from bot.ledger import Ledger, Slot
from bot.models.model import Prompt
from bot.outcome import bars, lines, outcome_of
from bot.pieces import Body, CheckRun, Note, Piece, Seen, bound_mark, find_note, mark, posted, reply_mark
from bot.plots import draw_progress, draw_run
from bot.records import Attempt, Call, Conclusion, Metric, Next, Record, best, to_json
from bot.records import Repair as Mend

T = TypeVar("T")
Files = dict[str, str | bytes]

LAG = timedelta(seconds=60)
"""So long a write may be missing from GitHub's lists before it is taken for lost."""


@dataclass(frozen=True)
class Steps:
    """One lab. Everything here may raise Lagging when it has to be seen to have happened before one goes on."""

    gateway: Gateway
    ledger: Ledger
    asker: Asker
    default_model: str
    clock: Callable[[], datetime]

    def perform(self, x: Experiment, action: Action) -> None:
        match action:
            case Refuse():
                self._refuse(x, action)
            case Begin():
                self._begin(x, action)
            case OpenPull():
                self._open_pull(x, action.run)
            case Dispatch():
                self._dispatch(x, action)
            case Cancel():
                self._cancel(action)
            case Repair():
                self._repair(x, action)
            case Conclude():
                self._conclude(x, action)
            case Repeat():
                self._repeat(x, action)
            case RevisePlan():
                self._revise_plan(x, action)
            case Answer():
                self._answer(x, action)
            case Report():
                self._report(x, action)
            case Close():
                self.gateway.close_issue(x.number)
            case Pause():
                self.gateway.add_label(x.number, PAUSED)
            case Wait():
                raise AssertionError("waiting is the controller's")

    def post(self, x: Experiment, piece: Piece) -> None:
        """One piece of what people should see."""
        match piece:
            case Seen():
                self.gateway.react(x.number)
            case Body():
                self.gateway.edit_pull(piece.pull, body=posted(piece))
            case CheckRun():
                run = next(run for run in x.runs if run.pull and run.pull.head == piece.sha)
                key = f"check {piece.external_id} {piece.sha} {piece.status}"
                self._once(x, key, lambda: self.gateway.set_check(piece, known=run.checks))
            case Note():
                found = find_note(thread(x, piece.thread), piece)
                if found:
                    self.gateway.edit_comment(found.id, posted(piece))
                else:
                    self._comment(x, piece)

    # The beginning of a run

    def _begin(self, x: Experiment, action: Begin) -> None:
        carried = self._carry(x)
        files, calls = dict(carried.files), list[Call]()
        if PLAN not in carried.folder.texts:
            told = self._plan(x, action)
            files |= told.value
            calls += told.calls
        folder = replace(carried.folder, texts={**carried.folder.texts, **_texts(files)})
        metric = plan_metric(folder.text(PLAN))
        if metric is None:
            raise DocumentError(
                f"{PLAN} has no primary metric. It needs a section `## Primary metric` such as: "
                "`val_loss`, lower is better."
            )
        context = self._context(x, folder, carried.records)
        on_main = [record.run for record in x.main.records if not record.discarded and record.conclusion]
        prompt = prompts.code(
            context,
            run=action.run,
            metric=metric,
            last=carried.records[-1] if carried.records else None,
            code_run=on_main[-1] if on_main else None,
        )
        code = self._ask(x, prompt, prompts.read_code, run=action.run, cause=action.cause)
        files[CODE] = code.value.code
        record = Record(
            experiment=x.number,
            run=action.run,
            inputs=folder.inputs_with({CODE: code.value.code}),
            metric=metric,
            proposal=code.value.proposal,
            plan=blob_sha(folder.text(PLAN).encode()),
        ).with_calls([*calls, *code.calls])
        files[record_path(action.run)] = to_json(record)
        files[LOG] = render_log(folder.text(LOG), carried.records, title=x.title, metric=metric, news=carried.news)
        self._branch(x, branch_of(x.number, action.run), files, f"Run {action.run}: {record.proposal.hypothesis}")

    def _plan(self, x: Experiment, action: Begin) -> Told[Files]:
        """The documents that an experiment begins with."""
        idea = render_idea(x.title, x.body, issue=x.number, author=x.author)
        folder = replace(x.main, texts={IDEA: idea})
        prompt = prompts.plan(self._context(x, folder, ()))
        told = self._ask(x, prompt, prompts.read_plan, run=action.run, cause=action.cause)
        plan = told.value
        files: Files = {
            IDEA: idea,
            PLAN: render_plan(plan.plan, plan.metric),
            TASKS: render_tasks([(task, False) for task in plan.tasks]),
        }
        return Told(files, told.calls)

    def _open_pull(self, x: Experiment, run: Run) -> None:
        title = comments.pull_title(x, run)
        if run.record is None:
            branch, body = report_branch(x.number, x.next_run), comments.report_body(x)
        else:
            branch, body = branch_of(x.number, run.id), posted(Body(0, comments.pull_body(x, run, run.record)))
        self._once(x, f"pull {branch}", lambda: self.gateway.open_pull(branch=branch, title=title, body=body))

    # Training

    def _dispatch(self, x: Experiment, action: Dispatch) -> None:
        run, runner = action.run, x.config.runner
        assert run.pull is not None
        request = request_name(x.number, run.id, action.inputs, action.ordinal)
        inputs = {
            "pr": str(run.pull.number),
            "sha": run.pull.head,
            "request": request,
            "folder": run.folder.path,
            "seconds": str(runner.seconds),
            "hard_seconds": str(runner.limit),
            "labels": json.dumps(runner.labels),
            "sandbox": runner.sandbox,
        }
        self._once(x, f"dispatch {request}", lambda: self.gateway.dispatch(inputs))

    def _cancel(self, action: Cancel) -> None:
        self.gateway.cancel(action.training.id)
        raise Lagging("GitHub gives a cancelled job ten seconds to end.", seconds=15)

    # Its end

    def _repair(self, x: Experiment, action: Repair) -> None:
        run, attempt = action.run, action.attempt
        assert run.record is not None
        assert action.training.artifact is not None
        source = run.folder.text(CODE)
        prompt = prompts.repair(
            self._context(x, run.folder, x.records),
            record=run.record,
            attempt=attempt,
            digest=action.training.artifact.digest,
            source=source,
        )
        told = self._ask(x, prompt, lambda text: _mended(text, source), run=run.id, cause=attempt.key)
        code = told.value.code
        mend = Mend(
            attempt=attempt.key,
            cause=told.value.cause,
            fix=told.value.fix,
            inputs=run.folder.inputs_with({CODE: code}),
        )
        record = _with_attempt(run.record, run, attempt).model_copy(update={"repairs": (*run.record.repairs, mend)})
        files: Files = {CODE: code, record_path(run.id): to_json(record.with_calls(told.calls))}
        self._add_commit(x, run, files, f"Run {run.id}: {mend.fix}")

    def _conclude(self, x: Experiment, action: Conclude) -> None:
        run = action.run
        record, conclusion = self._concluded(x, run, action.training, action.attempt)
        x = replace(x, runs=tuple(_with_record(r, record) if r.id == run.id else r for r in x.runs))
        tasks = change_tasks(run.folder.text(TASKS), record)
        files: Files = {TASKS: tasks}
        if conclusion.analysis.next is Next.REVISE:
            revised = self._revised(
                x,
                run,
                record,
                occasion=f"The analysis of run {run.id} asks for it: {conclusion.analysis.next_because}",
                guidance="",
                cause=action.attempt.key,
                tasks=tasks,
            )
            files |= revised.value[0]
            record = record.with_calls(revised.calls)
            x = replace(x, runs=tuple(_with_record(r, record) if r.id == run.id else r for r in x.runs))
        files |= self._written(x, run, record, conclusion)
        self._add_commit(x, run, files, f"Run {run.id}: {conclusion.verdict}")

    def _written(self, x: Experiment, run: Run, record: Record, conclusion: Conclusion) -> Files:
        """Record, log and plots of a concluded run."""
        log = render_log(run.folder.text(LOG), x.records, title=x.title, metric=record.metric, news=[record])
        files: Files = {
            record_path(run.id): to_json(record),
            LOG: log,
            PROGRESS_PLOT: _progress(x.records, record.metric),
        }
        if conclusion.curves:
            files[plot_path(run.id)] = draw_run(lines(conclusion), metric=record.metric.name, title=f"Run {run.id}")
        return files

    def _concluded(self, x: Experiment, run: Run, training: Training, attempt: Attempt) -> tuple[Record, Conclusion]:
        """The run's record with the outcome of this training, its summary and its analysis. Writes nothing."""
        assert run.record is not None
        assert training.artifact is not None
        record = _with_attempt(run.record, run, attempt)
        before = x.best_before(run.id, record.metric)
        outcome = outcome_of(record, attempt, training.artifact.points, best_before=before.value if before else None)
        digest = training.artifact.digest
        cause = attempt.key
        summary = self._ask(
            x,
            prompts.summarize(record=record, attempt=attempt, digest=digest),
            prompts.read_summary,
            run=run.id,
            cause=cause,
        )
        prompt = prompts.analyze(
            self._context(x, x.main, tuple(r for r in x.records if r.run != run.id)),
            record=record,
            outcome=outcome,
            summary=summary.value,
            source=run.folder.text(CODE),
            runs_left=max(0, x.config.budget.runs - len(x.records)),
        )
        analysis = self._ask(x, prompt, prompts.read_analysis, run=run.id, cause=cause)
        conclusion = Conclusion(**dict(outcome), summary=summary.value, analysis=analysis.value)
        record = record.model_copy(update={"conclusion": conclusion})
        return record.with_calls([*summary.calls, *analysis.calls]), conclusion

    def _repeat(self, x: Experiment, action: Repeat) -> None:
        run = action.run
        assert run.record is not None
        record = _with_attempt(run.record, run, action.attempt)
        self._add_commit(x, run, {record_path(run.id): to_json(record)}, f"Run {run.id}: trained once more")

    # The plan

    def _revise_plan(self, x: Experiment, action: RevisePlan) -> None:
        run, asked = action.run, action.asked
        assert run.record is not None
        told = self._revised(
            x,
            run,
            run.record,
            occasion=f"{asked.login}, a maintainer, asks for it.",
            guidance=asked.command.guidance,
            cause=f"comment-{asked.comment}.{asked.ordinal}",
            tasks=run.folder.text(TASKS),
        )
        files, changed = told.value
        if any(run.folder.text(name) != text for name, text in files.items()):
            files[record_path(run.id)] = to_json(run.record.with_calls(told.calls))
            self._add_commit(x, run, files, f"Plan revised, as {asked.login} asked")
        name = reply_mark(asked.comment, asked.ordinal)
        self._comment(x, Note(asked.thread, name, comments.revision_body(asked.login, changed)))

    def _revised(
        self, x: Experiment, run: Run, record: Record, *, occasion: str, guidance: str, cause: str, tasks: str
    ) -> Told[tuple[Files, str]]:
        """The rewritten PLAN.md and TASKS.md of an open run's branch, and what changed."""
        metric = plan_metric(run.folder.text(PLAN)) or record.metric
        folder = replace(run.folder, texts={**run.folder.texts, TASKS: tasks})
        context = self._context(x, folder, x.records)
        prompt = prompts.revise_plan(context, metric=metric, occasion=occasion, guidance=guidance)
        told = self._ask(x, prompt, prompts.read_revision, run=run.id, cause=cause)
        files: Files = {PLAN: render_plan(told.value.plan, metric), TASKS: render_tasks(told.value.tasks)}
        return Told((files, told.value.changed), told.calls)

    # The end

    def _report(self, x: Experiment, action: Report) -> None:
        carried = self._carry(x)
        records = carried.records
        metric = plan_metric(carried.folder.text(PLAN)) or (records[-1].metric if records else None)
        if metric is None:
            raise DocumentError("There is nothing to report: no plan with a primary metric was ever made.")
        context = self._context(x, carried.folder, records)
        prompt = prompts.report(context, metric=metric, reason=action.reason, best=best(records, metric))
        told = self._ask(x, prompt, prompts.read_report, run="report", cause=action.cause)
        text = render_report(
            told.value, records, title=x.title, issue=x.number, metric=metric, reason=action.reason, calls=told.calls
        )
        files: Files = {
            **carried.files,
            REPORT: text,
            LOG: render_log(carried.folder.text(LOG), records, title=x.title, metric=metric, news=carried.news),
            PROGRESS_PLOT: _progress(records, metric),
        }
        self._branch(x, report_branch(x.number, x.next_run), files, "Report")

    def _carry(self, x: Experiment) -> Carried:
        """What closed runs leave to the next pull request."""
        return carry(x, settle=lambda run: self._settled(x, run), blob=self.gateway.blob)

    def _settled(self, x: Experiment, run: Run) -> Record | None:
        """The record of a closed run, concluded if its training has ended and nobody has looked at it yet."""
        finished = next((t for t in run.trainings_of(run.folder.inputs) if t.artifact), None)
        if run.record is None or run.concluded or finished is None:
            return x.record(run.id)
        return self._concluded(x, run, finished, attempt_of(run, finished))[0]

    # Answers

    def _refuse(self, x: Experiment, action: Refuse) -> None:
        event = x.authority.event if x.authority else 0
        self._comment(x, Note(x.number, f"refused {event}", comments.refusal(action.reason)))
        self.gateway.remove_label(x.number, EXPERIMENT)

    def _answer(self, x: Experiment, action: Answer) -> None:
        asked = action.asked
        body = comments.answer_body(x, asked)
        if asked.may and asked.command.name == "report":
            body += "\n" + mark(bound_mark("report"))
        self._comment(x, Note(asked.thread, reply_mark(asked.comment, asked.ordinal), body))

    # What all of them use

    def _ask(self, x: Experiment, prompt: Prompt, read: Callable[[str], T], *, run: str, cause: str) -> Told[T]:
        slot = Slot(x.lab, x.number, run, prompt.role, cause, 0)
        model = x.config.model_for(prompt.role, default=self.default_model)
        return self.asker.ask(prompt, read, slot=slot, model=model, resumptions=x.resumptions)

    def _context(self, x: Experiment, folder: Folder, records: Sequence[Record]) -> prompts.Context:
        return prompts.Context(
            issue=x.number,
            title=x.title,
            idea=folder.text(IDEA) or x.body,
            seconds=x.config.runner.seconds,
            records=tuple(records),
            folder=folder,
        )

    def _branch(self, x: Experiment, branch: str, files: Mapping[str, str | bytes], message: str) -> None:
        """A branch from main, born whole."""
        paths = {f"{x.main.path}/{name}": content for name, content in files.items()}
        sha = self.gateway.commit(parent=x.main.commit, files=paths, message=_headline(message))
        self.gateway.create_branch(branch, sha)

    def _add_commit(self, x: Experiment, run: Run, files: Mapping[str, str | bytes], message: str) -> None:
        """One commit on the branch as we saw it; raises Moved when it has gone on."""
        assert run.pull is not None
        paths = {f"{run.folder.path}/{name}": content for name, content in files.items()}
        sha = self.gateway.commit(parent=run.pull.head, files=paths, message=_headline(message))
        self.gateway.move_branch(run.pull.branch, sha)

    def _comment(self, x: Experiment, note: Note) -> None:
        key = f"comment {note.thread} {note.mark}"
        self._once(x, key, lambda: self.gateway.comment(note.thread, posted(note)))

    def _once(self, x: Experiment, key: str, write: Callable[[], None]) -> None:
        """A write that makes something new. GitHub's lists lag, so it is not repeated within a minute."""
        key, now = f"{x.lab}#{x.number} {key}", self.clock()
        intent = self.ledger.intend(key, now)
        if intent.attempts > 1 and now < intent.since + LAG:
            left = (intent.since + LAG - now).total_seconds()
            raise Lagging(f"GitHub does not show it yet: {key}.", seconds=1.0 if intent.answered else left)
        if intent.attempts > 1:
            self.ledger.forget(key)
            self.ledger.intend(key, now)
        write()
        self.ledger.answered(key, self.clock())


def _progress(records: Sequence[Record], metric: Metric) -> bytes:
    return draw_progress(bars(records), metric=metric.name, lower_is_better=metric.direction == "lower")


def _mended(text: str, source: str) -> prompts.RepairReply:
    reply = prompts.read_repair(text)
    if reply.code.strip() == source.strip():
        raise ReplyError("The code is the same as before: nothing is mended.")
    return reply


def _with_attempt(record: Record, run: Run, attempt: Attempt) -> Record:
    assert run.pull is not None
    known = record.attempt(attempt.key) is not None
    attempts = record.attempts if known else (*record.attempts, attempt)
    return record.model_copy(update={"pull": run.pull.number, "attempts": attempts})


def _with_record(run: Run, record: Record) -> Run:
    others = [other for other in run.folder.records if other.run != record.run]
    return replace(run, folder=replace(run.folder, records=(*others, record)))


def _texts(files: Mapping[str, str | bytes]) -> dict[str, str]:
    return {name: content for name, content in files.items() if isinstance(content, str)}


def _headline(message: str) -> str:
    """The first line of a commit, short enough for a list."""
    line = " ".join(message.split())
    return line if len(line) <= 72 else line[:71] + "…"
