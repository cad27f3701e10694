"""PLAN.md and TASKS.md, written anew on the branch of an open run."""

from dataclasses import dataclass, replace

from bot import comments, prompts
from bot.asking import Told
from bot.documents import plan_metric, render_plan, render_tasks
from bot.experiment import Experiment, RevisePlan, Run
from bot.folder import PLAN, TASKS, blob_sha, record_path
from bot.models.model import Role
from bot.pieces import Note, reply_mark
from bot.records import Record, to_json
from bot.steps.hands import Files, Hands


@dataclass(frozen=True)
class Revised:
    """The two documents, and what is different in them in the model's words."""

    files: Files
    changed: str


def revise_plan(hands: Hands, x: Experiment, action: RevisePlan) -> Experiment:
    run, asked = action.run, action.asked
    assert run.record is not None
    told = revised(
        hands,
        x,
        run,
        run.record,
        occasion=f"{asked.login}, a maintainer, asks for it.",
        guidance=asked.command.guidance,
        cause=f"comment-{asked.comment}.{asked.ordinal}",
        tasks=run.folder.text(TASKS),
    )
    files, changed = dict(told.value.files), told.value.changed
    if any(run.folder.text(name) != text for name, text in files.items()):
        files[record_path(run.id)] = to_json(run.record.with_calls(told.calls))
        x = hands.add_commit(x, run, files, f"Plan revised, as {asked.login} asked")
    name = reply_mark(asked.comment, asked.ordinal)
    return hands.comment(x.without(asked), Note(asked.thread, name, comments.revision_body(asked.login, changed)))


def revised(
    hands: Hands, x: Experiment, run: Run, record: Record, *, occasion: str, guidance: str, cause: str, tasks: str
) -> Told[Revised]:
    """The rewritten PLAN.md and TASKS.md of an open run's branch, and what changed."""
    metric = plan_metric(run.folder.text(PLAN)) or record.metric
    folder = replace(run.folder, texts={**run.folder.texts, TASKS: tasks})
    context = hands.context(x, folder, x.records)
    prompt = prompts.revise_plan(context, metric=metric, occasion=occasion, guidance=guidance)
    cause = _cause(record, cause, run.folder.text(PLAN), tasks)
    told = hands.ask(x, prompt, prompts.read_revision, run=run.id, cause=cause)
    files: Files = {PLAN: render_plan(told.value.plan, metric), TASKS: render_tasks(told.value.tasks)}
    return Told(Revised(files, told.value.changed), told.calls)


def _cause(record: Record, cause: str, *documents: str) -> str:
    """What is edited while the model thinks is another question. One whose answer is committed stays the same."""
    start = f"{Role.PLANNER}/{cause}."
    known = next((call.id.split("/")[1] for call in record.calls if call.id.startswith(start)), None)
    return known or f"{cause}.{blob_sha(chr(0).join(documents).encode())[:8]}"
