"""What closed runs leave to the next pull request: records, log, plots, tasks and plans; all but their code. Pure.

A run that was closed without merging is discarded: only its code is dropped. A run that was merged before its result
has its result carried in the same way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bot.documents import change_tasks
from bot.experiment import Experiment, Run
from bot.folder import IDEA, LOG, PLAN, TASKS, Folder, blob_sha, plot_path, record_path
from bot.records import Discarded, Record, by_run, to_json


@dataclass(frozen=True)
class Carried:
    """`folder` is main's with the documents as the next branch will have them; `files` is what makes the difference."""

    folder: Folder
    files: Mapping[str, str | bytes]
    records: tuple[Record, ...]
    news: tuple[Record, ...]


def carry(x: Experiment, *, settle: Callable[[Run], Record | None], blob: Callable[[str], bytes]) -> Carried:
    """`settle` gives the final record of a closed run, `blob` the content of a file on its branch."""
    texts = dict(x.main.texts)
    files: dict[str, str | bytes] = {}
    news = []
    for run in filter(lambda run: _is_carried(x, run), x.runs):
        record = _ended(run, settle(run))
        if record is None:
            continue
        texts |= _documents(texts, run, record, log_on_main=LOG in x.main.texts)
        files[record_path(record.run)] = to_json(record)
        plot = run.folder.entries.get(plot_path(record.run))
        if plot:
            files[plot_path(record.run)] = blob(plot.sha)
        news.append(record)
    changed = {name: text for name, text in texts.items() if x.main.texts.get(name) != text}
    known = {record.run: record for record in x.records} | {record.run: record for record in news}
    return Carried(
        folder=replace(x.main, texts=texts),
        files={**changed, **files},
        records=tuple(by_run(known.values())),
        news=tuple(news),
    )


def _is_carried(x: Experiment, run: Run) -> bool:
    on_main = next((record for record in x.main.records if record.run == run.id), None)
    return not run.open and (on_main is None or not (on_main.conclusion or on_main.discarded))


def _ended(run: Run, record: Record | None) -> Record | None:
    if record is None or run.pull is None:
        return None
    change: dict[str, object] = {"pull": run.pull.number}
    if not run.pull.merged:
        change["discarded"] = Discarded(reason="The pull request was closed without merging.")
    return record.model_copy(update=change)


def _documents(texts: Mapping[str, str], run: Run, record: Record, *, log_on_main: bool) -> dict[str, str]:
    """Documents that main lacks come from the branch. So does a plan that was revised there, unless main's was edited
    meanwhile; otherwise the tasks get what the run's analysis says of them."""
    theirs = run.folder.texts
    taken = {name: theirs[name] for name in (IDEA, PLAN, TASKS, LOG) if name in theirs and name not in texts}
    if LOG in theirs and not log_on_main:
        taken[LOG] = theirs[LOG]
    plan, tasks = texts.get(PLAN), {**texts, **taken}.get(TASKS, "")
    unchanged = plan is not None and record.plan == blob_sha(plan.encode())
    if record.discarded and unchanged and theirs.get(PLAN, plan) != plan:
        return {**taken, PLAN: theirs[PLAN], TASKS: theirs.get(TASKS, tasks)}
    tasks = change_tasks(tasks, record)
    return {**taken, TASKS: tasks} if tasks else taken
