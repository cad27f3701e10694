"""A branch that conflicts with main, brought together with it, so that the run can be merged."""

from collections.abc import Sequence

from bot.documents import change_tasks, render_log
from bot.errors import Lagging
from bot.experiment import Experiment, Rebuild, Run
from bot.folder import LOG, TASKS, find_folder, record_path
from bot.merge3 import Merge, merge
from bot.records import Rebuilt, Record, to_json
from bot.steps.hands import Hands


def rebuild(hands: Hands, x: Experiment, action: Rebuild) -> Experiment:
    """A commit of both, on the branch. Where it brings other inputs, they are trained next."""
    run = action.run
    assert run.pull is not None
    assert run.record is not None
    parted = hands.gateway.merge_base(x.main.commit, run.pull.head)
    if parted == x.main.commit:
        raise Lagging("GitHub has not noticed yet that the branch has all of main.", seconds=10)
    base = find_folder(hands.gateway.tree(parted), parted, x.number, title="")
    both = merge(base, x.main, run.folder, run=run.id)
    told = Rebuilt(main=x.main.commit, from_main=both.from_main, from_branch=both.from_branch)
    record = run.record.model_copy(update={"base": x.main.commit, "rebuilds": (*run.record.rebuilds, told)})
    files = _content(hands, run, both)
    files |= _documents(x, run, record, taken=both.taken)
    return hands.add_merge(x, run, files, f"Run {run.id}: brought together with main")


def _content(hands: Hands, run: Run, both: Merge) -> dict[str, str | bytes | None]:
    taken = {name: hands.gateway.blob(run.folder.entries[name].sha) for name in both.taken}
    return {**taken, **dict.fromkeys(both.removed)}


def _documents(x: Experiment, run: Run, record: Record, *, taken: Sequence[str]) -> dict[str, str | bytes | None]:
    """Where main's differ, written anew on top of them: what people wrote there stays, what this run adds is added."""
    settled = {old.run for old in x.main.records if old.conclusion or old.discarded}
    news = [old for old in run.folder.records if old.run not in settled and old.run != run.id]
    news += [record] if record.conclusion else []
    files: dict[str, str | bytes | None] = {record_path(run.id): to_json(record)}
    if LOG not in taken:
        log = x.main.text(LOG) or run.folder.text(LOG)
        files[LOG] = render_log(log, x.records, title=x.title, metric=record.metric, news=news)
    if TASKS not in taken and x.main.text(TASKS):
        files[TASKS] = change_tasks(x.main.text(TASKS), record)
    return files
