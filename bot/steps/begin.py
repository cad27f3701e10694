"""The beginning of a run: plan, code, branch and pull request."""

from collections.abc import Mapping
from dataclasses import replace

from bot import comments, prompts
from bot.asking import Told
from bot.documents import plan_metric, render_idea, render_log, render_plan, render_tasks
from bot.errors import DocumentError
from bot.events import branch_of, report_branch
from bot.experiment import Begin, Experiment, OpenPull
from bot.folder import CODE, IDEA, LOG, PLAN, TASKS, blob_sha, record_path
from bot.pieces import Body, posted
from bot.records import Call, Record, to_json
from bot.steps.conclude import carried_over
from bot.steps.hands import Files, Hands


def begin(hands: Hands, x: Experiment, action: Begin) -> Experiment | None:
    carried = carried_over(hands, x)
    files, calls = dict(carried.files), list[Call]()
    if PLAN not in carried.folder.texts:
        told = _plan(hands, x, action)
        files |= told.value
        calls += told.calls
    folder = replace(carried.folder, texts={**carried.folder.texts, **_texts(files)})
    metric = plan_metric(folder.text(PLAN))
    if metric is None:
        raise DocumentError(
            f"{PLAN} has no primary metric. It needs a section `## Primary metric` such as: "
            "`val_loss`, lower is better."
        )
    context = hands.context(x, folder, carried.records)
    on_main = [record.run for record in x.main.records if not record.discarded and record.conclusion]
    prompt = prompts.code(
        context,
        run=action.run,
        metric=metric,
        last=carried.records[-1] if carried.records else None,
        code_run=on_main[-1] if on_main else None,
    )
    code = hands.ask(x, prompt, prompts.read_code, run=action.run, cause=action.cause)
    files[CODE] = code.value.code
    record = Record(
        experiment=x.number,
        run=action.run,
        inputs=folder.inputs_with({CODE: code.value.code}),
        metric=metric,
        proposal=code.value.proposal,
        plan=blob_sha(folder.text(PLAN).encode()),
        base=x.main.commit,
    ).with_calls([*calls, *code.calls])
    files[record_path(action.run)] = to_json(record)
    files[LOG] = render_log(folder.text(LOG), carried.records, title=x.title, metric=metric, news=carried.news)
    message = f"Run {action.run}: {record.proposal.hypothesis}"
    return hands.branch(x, branch_of(x.number, action.run), files, message, run=action.run)


def _plan(hands: Hands, x: Experiment, action: Begin) -> Told[Files]:
    """The documents that an experiment begins with."""
    idea = render_idea(x.title, x.body, issue=x.number, author=x.author)
    folder = replace(x.main, texts={IDEA: idea})
    prompt = prompts.plan(hands.context(x, folder, ()))
    told = hands.ask(x, prompt, prompts.read_plan, run=action.run, cause=action.cause)
    plan = told.value
    files: Files = {
        IDEA: idea,
        PLAN: render_plan(plan.plan, plan.metric),
        TASKS: render_tasks([(task, False) for task in plan.tasks]),
    }
    return Told(files, told.calls)


def open_pull(hands: Hands, x: Experiment, action: OpenPull) -> Experiment | None:
    run = action.run
    title = comments.pull_title(x, run)
    if run.record is None:
        branch, body = report_branch(x.number, x.next_run), comments.report_body(x)
    else:
        branch, body = branch_of(x.number, run.id), posted(Body(0, comments.pull_body(x, run, run.record)))
    made = hands.once(x, f"pull {branch}", lambda: hands.gateway.open_pull(branch=branch, title=title, body=body))
    return x.with_run(replace(run, pull=made)) if made else None


def _texts(files: Mapping[str, str | bytes]) -> dict[str, str]:
    return {name: content for name, content in files.items() if isinstance(content, str)}
