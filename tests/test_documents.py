"""Documents that people edit: what the bot writes is found again, and what it did not write stays."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot import markdown
from bot.documents import (
    change_tasks,
    plan_metric,
    render_idea,
    render_log,
    render_plan,
    render_report,
    render_tasks,
)  # fmt: skip
from bot.models.model import Role
from bot.prompts import ReportReply
from bot.records import Call, Discarded, Metric, Record, Repair
from tests.hostile import LINE, TEXT
from tests.values import METRIC, analysis, attempt, conclusion, proposal, record, result_of

ACCURACY = Metric(name="val/acc@1", direction="higher")
TASK_LINE = LINE.map(lambda line: line.replace("\0", ""))
TASK = st.sampled_from(["Fit it", "fit `it`!", "Try | a pipe", "nested", "New task", "", "🎉"]) | TASK_LINE
TASKS = st.lists(TASK, max_size=3)


def titles(text: str) -> list[str]:
    return [found.title for found in markdown.sections(text)]


def under(text: str, title: str) -> str:
    found = markdown.section(text, title)
    assert found, title
    return markdown.body(text, found)


def analysed(**tasks: list[str]) -> Record:
    """A run whose analysis changes the tasks: `done`, `added`, `dropped`."""
    return result_of(conclusion=conclusion(analysis=analysis(tasks=tasks)))


def log(text: str, *news: Record, records: tuple[Record, ...] = ()) -> str:
    return render_log(text, records or news, title="Fit it", metric=METRIC, news=news)


# The idea


def test_an_idea_is_kept_with_its_origin() -> None:
    text = render_idea("Larger\n# models", "\nDo they help?\n", issue=12, author="ada")
    origin = "_The idea as it stood in #12, by ada, when the experiment began._"
    assert text == f"# Larger # models\n\n{origin}\n\nDo they help?\n"


# The plan


@pytest.mark.parametrize(
    ("plan", "metric"),
    [
        ("## Primary metric\n\n`loss`, lower is better.", METRIC),
        ("primary METRIC\n===\nWe *minimise* `loss`", METRIC),
        ("#### **Primary metric:**\r\n\r\n- name: `loss`\r\n- the smaller the better\r\n", METRIC),
        ("## Primary metric\n\nHigher `val/acc@1` is what we want.\n\n## More\n\n`loss`, lower", ACCURACY),
        ("```\n## Primary metric\n`bad`, lower\n```\n\n# Primary metric\n`val/acc@1`, maximize", ACCURACY),
        ("## Primary metric\n\nloss, lower is better", None),
        ("## Primary metric\n\n`loss`", None),
        ("## Primary metric\n\n`2 losses`, lower", None),
        ("## Primary metric", None),
        ("`loss`, lower is better", None),
        ("", None),
    ],
)
def test_the_metric_is_read_as_people_may_write_it(plan: str, metric: Metric | None) -> None:
    assert plan_metric(plan) == metric


@settings(deadline=None, max_examples=60)
@given(st.text(), st.sampled_from(["lower", "higher"]))
@example("loss²", "lower")
@example("verlust_ü", "lower")
@example("loss\n", "lower")
def test_any_name_in_a_plan_is_a_metric_or_none(name: str, direction: str) -> None:
    found = plan_metric(f"## Primary metric\n\n`{name}`, {direction} is better.")
    assert found is None or found.direction in ("lower", "higher")


@settings(deadline=None, max_examples=60)
@given(TEXT, st.sampled_from([METRIC, ACCURACY]))
@example("Fit it.\n\n## Primary metric\n\n`other`, higher is better.\n\n## Then\n\nStop.", METRIC)
@example("```\ncode", METRIC)
@example("<!-- note", METRIC)
def test_the_metric_of_a_written_plan_is_the_one_it_was_given(plan: str, metric: Metric) -> None:
    text = render_plan(plan, metric)
    assert plan_metric(text) == metric
    assert sum(markdown.same(title, "Primary metric") for title in titles(text)) == 1


def test_a_plan_is_written_with_its_metric_below() -> None:
    text = render_plan("\nFit it.\n\n## Steps\n\n1. Fit.\n", METRIC)
    assert text == "# Plan\n\nFit it.\n\n## Steps\n\n1. Fit.\n\n## Primary metric\n\n`loss`, lower is better.\n"


# Tasks


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(TASK.filter(str.strip), st.booleans())))
def test_written_tasks_are_read_again(tasks: list[tuple[str, bool]]) -> None:
    wanted = [(" ".join(text.split()), done) for text, done in tasks]
    assert [(item.text, item.done) for item in markdown.items(render_tasks(tasks))] == wanted


TASK_LIST = """# Tasks

Ours to edit.

- [ ] Fit `it`
- [ ] Try
  a larger model
  - [ ] with dropout
* [x] Read the data

1. Plain

By hand.
"""


def test_tasks_are_ticked_dropped_and_added_by_their_words() -> None:
    changed = change_tasks(
        TASK_LIST, analysed(done=["fit it"], dropped=["Try a larger model"], added=["Look at seeds", "read the data!"])
    )
    assert (
        changed
        == """# Tasks

Ours to edit.

- [x] Fit `it`
  - [ ] with dropout
* [x] Read the data

1. Plain

By hand.

- [ ] Look at seeds
"""
    )


def test_a_new_task_joins_the_list_that_ends_the_document() -> None:
    assert change_tasks("# Tasks\n\n- [ ] A\n", analysed(added=["B", "C"])) == "# Tasks\n\n- [ ] A\n- [ ] B\n- [ ] C\n"
    assert change_tasks("", analysed(added=["A"])) == "- [ ] A\n"


@pytest.mark.parametrize("text", ["", "- [ ] A", "- [ ] A\r\n\r\n", "\n\n# Tasks"])
def test_without_changes_the_tasks_are_as_they_were(text: str) -> None:
    assert change_tasks(text, record()) == text
    assert change_tasks(text, analysed()) == text


@pytest.mark.parametrize("text", ["- [ ] A\r\n- [ ] B\r\n", "-\n  [ ] A\n- [ ] B\n", "- - [ ] A\n\n> 1) [ ] B\n"])
def test_only_the_box_changes_when_a_task_is_ticked(text: str) -> None:
    assert change_tasks(text, analysed(done=["a"])) == text.replace("[ ]", "[x]", 1)


def test_a_task_replaced_by_one_of_the_same_words_is_not_lost() -> None:
    assert change_tasks("- [x] Try A\n", analysed(dropped=["Try A"], added=["try `A`"])) == "- [ ] try `A`\n"


def test_a_task_may_be_added_as_done() -> None:
    assert change_tasks("- [ ] A\n", analysed(added=["B"], done=["B"])) == "- [ ] A\n- [x] B\n"


@pytest.mark.parametrize("end", ["```\n- [ ] code", "<!-- note", "<details>\nMore.\n</details>", "> quote", "    code"])
def test_an_added_task_is_a_task_whatever_the_document_ends_with(end: str) -> None:
    changed = change_tasks(f"- [ ] A\n\n{end}\n", analysed(added=["B"]))
    assert [(item.text, item.done) for item in markdown.items(changed)][-1] == ("B", False)


@settings(deadline=None, max_examples=60)
@given(TEXT, TASKS, TASKS, TASKS)
def test_no_line_is_lost_that_was_not_to_be_dropped(
    text: str, done: list[str], added: list[str], dropped: list[str]
) -> None:
    changed = change_tasks(text, analysed(done=done, added=added, dropped=dropped))
    lines = markdown.lines(text)
    for item in markdown.items(text):
        if any(markdown.same(item.text, task) for task in dropped):
            lines[item.line : item.end] = [""] * (item.end - item.line)
    kept = iter(line.rstrip("\r\n").replace("[x]", "[ ]") for line in markdown.lines(changed))
    assert all(any(line == other for other in kept) for line in _words("".join(lines)))


def _words(text: str) -> list[str]:
    lines = (line.rstrip("\r\n").replace("[x]", "[ ]") for line in markdown.lines(text))
    return [line for line in lines if line.strip()]


@settings(deadline=None, max_examples=60)
@given(TEXT, TASKS, TASKS)
def test_ticking_and_adding_twice_is_doing_it_once(text: str, done: list[str], added: list[str]) -> None:
    run = analysed(done=done, added=added)
    once = change_tasks(text, run)
    assert change_tasks(once, run) == once
    entries = markdown.items(once)
    assert all(any(markdown.same(item.text, task) for item in entries) for task in added if task.strip())


# The log


def test_a_log_begins_with_the_table_of_all_runs() -> None:
    text = log("", result_of())
    assert titles(text) == ["Experiment log: Fit it", "Runs", "Run 1: It fits.", "Analysis", "Key findings"]
    assert text.startswith("# Experiment log: Fit it\n\n## Runs\n\n| Run | PR |")
    assert "Best: run 1.\n\n![Progress](plots/progress.png)\n\n## Run 1: It fits.\n\n**improved** in #11" in text
    assert "- Status: ok. It ran to its end." in under(text, "Run 1: It fits.")
    assert text.endswith("### Key findings\n\n- It fits.\n")


def test_a_run_without_a_result_says_so() -> None:
    said = under(log("", record(attempts=[attempt(status="failed")])), "Run 1: It fits.")
    assert said.startswith("**no result**\n\n`LR`: 1 → 2.\n\n- Status: failed.")
    assert "Best:" not in log("", record())


def test_a_discarded_run_says_why_and_its_repairs_what_broke() -> None:
    mend = Repair(attempt="71.1", cause="An index was wrong.", fix="It is right now.", inputs="b")
    one = result_of(discarded=Discarded(reason="The pull request was closed without merging."), repairs=[mend])
    said = under(log("", one), "Run 1: It fits.")
    assert "**improved**, **discarded** in #11: The pull request was closed without merging." in said
    assert "- Repaired: An index was wrong. It is right now." in said


def test_the_facts_of_a_run_are_those_of_its_result_not_of_a_repeat() -> None:
    repeat = attempt(workflow_run=99, metrics={"loss": 3.25})
    said = under(log("", result_of(attempts=[attempt(), repeat])), "Run 1: It fits.")
    assert "`loss`: 2\n" in said
    assert "3.25" not in said


def test_a_run_is_written_again_where_it_stands() -> None:
    first = log("", result_of("1"), result_of("2"))
    by_hand = first.replace("## Run 2", "## Our notes\n\nSeeds differ.\n\n## Run 2")
    again = log(by_hand, result_of("1", proposal=proposal(hypothesis="It fits better.")))
    assert [title for title in titles(again) if title.startswith(("Run", "Our"))] == [
        "Runs",
        "Run 1: It fits better.",
        "Our notes",
        "Run 2: It fits.",
    ]
    assert under(again, "Our notes") == "Seeds differ."


def test_run_1_is_not_run_10() -> None:
    text = log("", result_of("10"))
    assert titles(log(text, result_of("1")))[2::3] == ["Run 10: It fits.", "Run 1: It fits."]


@pytest.mark.parametrize("text", ["# Log\n\n```\nforgotten", "# Log\n\n<!-- forgotten", "  \n\n"])
def test_what_is_left_open_in_a_log_hides_nothing(text: str) -> None:
    written = log(text, result_of())
    assert {"Runs", "Run 1: It fits."} <= set(titles(written))
    assert log(written, result_of()) == written


@pytest.mark.parametrize(
    "text",
    [
        "## Results\nGood.\n---\nMore.\n# Runs",
        "Worse\n===\n\nRun 2: x\n---",
        "It goes down:\n\n```\n## Run 1: x",
        "<!-- hm",
        "# A\n---\n",
    ],
)
def test_headings_of_an_analysis_stay_in_its_section(text: str) -> None:
    written = log("", result_of(conclusion=conclusion(analysis=analysis(text=text))), record("2"))
    assert [found.title for found in markdown.sections(written) if found.level <= 3] == [
        "Experiment log: Fit it",
        "Runs",
        "Run 1: It fits.",
        "Analysis",
        "Key findings",
        "Run 2: It fits.",
    ]


@settings(deadline=None, max_examples=60)
@given(TEXT, TEXT, LINE, LINE, TEXT)
@example("", "```", "<pre>", "# Runs", "## Run 2: forged")
@example("## Run 1: x\n  ## Ours\n\nNotes.", "", "", "", "")
def test_the_log_is_the_same_written_twice_and_keeps_every_other_section(
    text: str, said: str, hypothesis: str, change: str, message: str
) -> None:
    one = result_of(
        proposal=proposal(hypothesis=hypothesis, change=change),
        attempts=[attempt(reason=message, failure={"type": "E", "message": message})],
        conclusion=conclusion(analysis=analysis(text=said)),
    )
    news = (one, record("2"))
    once = log(text, *news)
    assert log(once, *news) == once
    found = markdown.sections(text)
    ends = [section.start for section in found[1:]] + [len(markdown.lines(text))]
    for section, end in zip(found, ends, strict=False):
        if section.level <= 2 and not _is_ours(section.title):
            assert "".join(markdown.lines(text)[section.start : end]).strip() in once


def _is_ours(title: str) -> bool:
    return any(markdown.same(title, name) or title.startswith(f"{name}:") for name in ("Runs", "Run 1", "Run 2"))


# The report


REPLY = ReportReply(answer="Yes.\n\n# Really\n\n```\nopen", results="Good.", limits="One seed.", next_steps="- More.")


def report(*records: Record, calls: tuple[Call, ...] = ()) -> str:
    return render_report(
        REPLY, records, title="Fit\nit", issue=1, metric=METRIC, reason="A maintainer asked.", calls=calls
    )


def test_a_report_has_the_reporter_s_words_and_our_numbers() -> None:
    call = Call(id="1", role=Role.REPORTER, model="acme/a")
    text = report(result_of("1"), result_of("2"), calls=(call,))
    high = [found.title for found in markdown.sections(text) if found.level <= 2]
    assert high == ["Report: Fit it", "Answer", "Runs", "Results", "Limits", "Next steps", "Cost"]
    assert "_Experiment #1. A maintainer asked._" in text
    assert "The best run is run 1: `LR`: 1 → 2." in text
    assert "2 runs, 2.0 min of training, unknown for model calls." in under(text, "Cost")


def test_a_report_tells_the_attempt_that_was_the_best_not_its_repeat() -> None:
    repeat = attempt(workflow_run=99, metrics={"loss": 3.25})
    assert "3.25" not in report(result_of(attempts=[attempt(), repeat]))


def test_a_report_without_results_says_so() -> None:
    assert "No run gave a result." in report(record())
    assert "0 runs, 0 s of training, $0 for model calls." in report()
