"""The end of an experiment: REPORT.md on a branch of its own."""

from bot import prompts
from bot.documents import plan_metric, render_log, render_report
from bot.errors import DocumentError
from bot.events import report_branch
from bot.experiment import REPORT_RUN, Experiment, Report
from bot.folder import LOG, PLAN, PROGRESS_PLOT, REPORT
from bot.records import best
from bot.steps.conclude import carried_over
from bot.steps.hands import Files, Hands, progress_plot


def report(hands: Hands, x: Experiment, action: Report) -> Experiment | None:
    carried = carried_over(hands, x)
    records = carried.records
    metric = plan_metric(carried.folder.text(PLAN)) or (records[-1].metric if records else None)
    if metric is None:
        raise DocumentError("There is nothing to report: no plan with a primary metric was ever made.")
    context = hands.context(x, carried.folder, records)
    prompt = prompts.report(context, metric=metric, reason=action.reason, best=best(records, metric))
    told = hands.ask(x, prompt, prompts.read_report, run=REPORT_RUN, cause=action.cause)
    text = render_report(
        told.value, records, title=x.title, issue=x.number, metric=metric, reason=action.reason, calls=told.calls
    )
    files: Files = {
        **carried.files,
        REPORT: text,
        LOG: render_log(carried.folder.text(LOG), records, title=x.title, metric=metric, news=carried.news),
        PROGRESS_PLOT: progress_plot(records, metric),
    }
    return hands.branch(x, report_branch(x.number, x.next_run), files, "Report", run=REPORT_RUN)
