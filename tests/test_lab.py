"""A lab's configuration: defaults, choices, and complaints that name line, key and what was expected."""

import re
from contextlib import suppress

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.errors import LabConfigError
from bot.lab import EXPECTED, PATH, LabConfig, read_config
from bot.models.model import Role

KEYS = st.sampled_from(
    ["app", "models", "budget", "repairs", "runner", "runs", "dollars", "seconds", "labels", "coder"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(KEYS, values, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("text", [None, "", "# only a comment\n", "{}"])
def test_without_settings_the_defaults_hold(text: str | None) -> None:
    assert read_config(text) == LabConfig()


def test_what_is_given_is_read() -> None:
    config = read_config(
        """
        app: trainwright[bot]
        budget: {runs: 4, dollars: 2.5}
        repairs: 1
        runner:
          labels: [self-hosted, cpu]
          seconds: 20
        """
    )
    assert (config.app, config.repairs) == ("trainwright[bot]", 1)
    assert (config.budget.runs, config.budget.dollars, config.budget.gpu_minutes) == (4, 2.5, 600)
    assert (config.runner.labels, config.runner.seconds) == (("self-hosted", "cpu"), 20)


@pytest.mark.parametrize(
    ("text", "planner", "coder"),
    [
        ("", "baseline", "baseline"),
        ("models: acme/large", "acme/large", "acme/large"),
        ("models: {planner: acme/large}", "acme/large", "baseline"),
    ],
)
def test_a_role_s_model_is_the_lab_s_choice_else_the_server_s(text: str, planner: str, coder: str) -> None:
    config = read_config(text)
    assert config.model_for(Role.PLANNER, default="baseline") == planner
    assert config.model_for(Role.CODER, default="baseline") == coder


def complaints(text: str) -> list[str]:
    """What a person is told, line by line. The file is named once, in front."""
    with pytest.raises(LabConfigError) as refusal:
        read_config(text)
    said = str(refusal.value)
    assert said.startswith(f"`{PATH}`, line ")
    return said.replace(f"`{PATH}`, l", "L", 1).split("\n")


FILE = """\
# Ours
models:
  planner: acme/large
budget:
  runs: 4
runner:
  labels:
    - gpu
    - big
  seconds: 20
"""


def test_the_file_is_named_first() -> None:
    with pytest.raises(LabConfigError, match=r"^`\.github/trainwright\.yml`, line 5: `budget\.runs` must be "):
        read_config(FILE.replace("runs: 4", "runs: ten"))


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        (
            "seconds",
            "secnods",
            "Line 10: `runner.secnods` is not a setting of `runner`; did you mean `seconds`? "
            "It has labels, seconds, hard_seconds, sandbox, queue_minutes.",
        ),
        (
            "planner",
            "painter",
            "Line 3: `models.painter` is not a setting of `models`; did you mean `planner`? "
            "It has planner, coder, summarizer, analyst, reporter.",
        ),
        (
            "budget:",
            "Budget:",
            "Line 4: `Budget` is not a setting; did you mean `budget`? There are app, models, budget, repairs, runner.",
        ),
        (
            "# Ours",
            "runs: 4",
            "Line 1: `runs` is not a setting; did you mean `runs` in `budget`? "
            "There are app, models, budget, repairs, runner.",
        ),
        (
            "runs: 4",
            "repairs: 4",
            "Line 5: `budget.repairs` is not a setting of `budget`; did you mean `repairs` at the top level? "
            "It has runs, dollars, gpu_minutes.",
        ),
        ("# Ours", "7: up", "Line 1: `7` is not a setting. There are app, models, budget, repairs, runner."),
        ("runs: 4", "runs: ten", "Line 5: `budget.runs` must be a whole number from 1 to 1000, not 'ten'."),
        ("runs: 4", "runs: 2.5", "Line 5: `budget.runs` must be a whole number from 1 to 1000, not 2.5."),
        ("runs: 4", "runs:", "Line 5: `budget.runs` must be a whole number from 1 to 1000, not left empty."),
        ("runs: 4", "runs: [4]", "Line 5: `budget.runs` must be a whole number from 1 to 1000, not a list."),
        ("runs: 4", "dollars: -1", "Line 5: `budget.dollars` must be a number of at least 0, not -1."),
        ("  runs: 4", "", "Line 4: `budget` must be a mapping of runs, dollars, gpu_minutes, not left empty."),
        (
            "seconds: 20",
            "sandbox: some",
            "Line 10: `runner.sandbox` must be `none`, the only one there is, not 'some'.",
        ),
        ("- big", "- 7", "Line 9: `runner.labels` must be a list of words, such as `[self-hosted, gpu]`, not 7."),
        (
            "acme/large",
            "{}",
            "Line 3: `models.planner` must be a model, as `provider/model` or `baseline`, not a mapping.",
        ),
        (
            "  planner: acme/large",
            "  - baseline",
            "Line 2: `models` must be a model, as `provider/model` or `baseline`, or a mapping with one per role, "
            "not a list.",
        ),
        ("# Ours", "app: 7", "Line 1: `app` must be the name of a GitHub App, not 7."),
    ],
)
def test_a_mistake_is_told_by_line_and_key_with_what_was_expected(right: str, wrong: str, complaint: str) -> None:
    assert complaints(FILE.replace(right, wrong, 1)) == [complaint]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\n- a list", "Line 2: this must be a mapping of settings, such as `repairs: 2`, not a list."),
        ("just text", "Line 1: this must be a mapping of settings, such as `repairs: 2`, not 'just text'."),
        ("a: b: c", "Line 1: this is not valid YAML: mapping values are not allowed here."),
        ("\nbudget:\n\truns: 4", "Line 3: this is not valid YAML: found character '\\t' that cannot start any token."),
        (
            "app: a\nbudget: {runs: 4\nrepairs: 1\n",
            "Line 3: this is not valid YAML: expected ',' or '}', but got ':', "
            "while parsing a flow mapping that begins in line 2.",
        ),
        (
            "a: 1\n---\nb: 1",
            "Line 2: this is not valid YAML: expected a single document in the stream, but found another document.",
        ),
        (
            "\na: \0",
            "Line 2: this is not valid YAML: unacceptable character #x0000: special characters are not allowed.",
        ),
        ("\na: *b", "Line 2: this is not valid YAML: found undefined alias 'b'."),
        ("\na: !!int ''", "Line 2: this is not valid YAML: '' cannot be read as int."),
        ("\na: !!bool foo", "Line 2: this is not valid YAML: foo cannot be read as bool."),
        ("\na: 2020-99-99", "Line 2: this is not valid YAML: 2020-99-99 cannot be read as timestamp."),
    ],
)
def test_what_is_no_yaml_or_no_mapping_is_told_in_one_sentence(text: str, complaint: str) -> None:
    assert complaints(text) == [complaint]


@pytest.mark.parametrize("text", ["budget: {dollars: .nan}", "a: \0", "1: 2", "!!python/object:os.system {}"])
def test_odd_values_are_refused_too(text: str) -> None:
    with pytest.raises(LabConfigError):
        read_config(text)


def test_a_key_that_stands_twice_is_refused_with_both_lines() -> None:
    assert complaints(f"{FILE}  labels: [cpu]\n") == [
        "Line 11: `runner.labels` is set a second time; the first is in line 7. Keep one."
    ]


def test_every_complaint_is_told_at_once_from_top_to_bottom() -> None:
    said = complaints("repairs: many\nrunner: {}\nbudget:\n  runs: 0\n  hours: 3\nrunner: {}\n")
    assert [line.partition(" must ")[0].partition(" is ")[0] for line in said] == [
        "Line 1: `repairs`",
        "Line 4: `budget.runs`",
        "Line 5: `budget.hours`",
        "Line 6: `runner`",
    ]


def test_a_merged_mapping_is_blamed_where_it_stands() -> None:
    said = complaints("app: &a\n  runs: ten\nbudget:\n  <<: *a\n  dollars: 1\n")
    assert [line[:8] for line in said] == ["Line 1: ", "Line 2: "]
    assert "`budget.runs` must be" in said[1]


@pytest.mark.parametrize("path", [path for path, told in EXPECTED.items() if re.search(r"\d", told)])
def test_the_bounds_that_are_told_are_those_that_hold(path: str) -> None:
    told = EXPECTED[path]
    least, most = (re.search(rf"(?:{words}) (\d+)", told) for words in ("from|least|above", "to|most"))
    assert least
    assert complaints(nested(path, str(int(least[1]) - 1)))
    assert "above" in told or read_config(nested(path, least[1]))
    if most:
        assert read_config(nested(path, most[1]))
        assert complaints(nested(path, str(int(most[1]) + 1)))


def nested(path: str, value: str) -> str:
    section, _, name = path.rpartition(".")
    return f"{section}: {{{name}: {value}}}" if section else f"{name}: {value}"


def test_what_stands_in_the_file_does_nothing_where_it_is_told() -> None:
    [said] = complaints("repairs: '@ada <!-- trainwright:status --> closes #1'")
    assert not {"@ada", "<!--", "#1"} & set(re.findall(r"@ada|<!--|#1", said))
    [said] = complaints("'`a` @ada': 1")
    assert said.startswith("Line 1: `'a' @")


def test_the_configuration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_config("").budget.runs = 99  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "limit"),
    [("", 2760), ("runner: {seconds: 20}", 90), ("runner: {seconds: 20, hard_seconds: 30}", 30)],
)
def test_a_training_is_ended_half_as_long_again_and_a_minute_later_or_when_the_lab_says(text: str, limit: int) -> None:
    assert read_config(text).runner.limit == limit


@settings(deadline=None, max_examples=60)
@given(st.text() | st.dictionaries(KEYS, VALUES, max_size=4).map(str))
@example("[" * 500)
@example("a: &a [*a]")
@example("budget: &b {runs: 1, dollars: *b}")
@example("a: 2020-99-99")
@example("a: " + "1:" * 300 + "1.0")
@example("repairs: 0x" + "f" * 5000)
@example("0x" + "f" * 100 + ": 1")
@example("? [*a]\n: 1")
@example("? &a [*a]\n: 1")
@example("&a {budget: *a, models: *a, runner: *a}")
@example("models: {str: {a: b}, coder: 1, 7: 8}")
@example("{budget: !!set {runs}, runner: !!omap [labels: 1], models: !!set {coder}}")
@example("runner: {labels: !!set {a}, <<: {labels: 1}}")
@example("budget.runs: 4")
def test_any_file_is_a_configuration_or_a_complaint(text: str) -> None:
    with suppress(LabConfigError):
        assert 1 <= read_config(text).budget.runs <= 1000


def test_a_complaint_stays_short_whatever_was_found() -> None:
    text = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 9))
    with pytest.raises(LabConfigError) as refusal:
        read_config(text)
    assert len(str(refusal.value)) < 1_500


def test_a_hundred_complaints_fit_into_a_comment() -> None:
    said = complaints("".join(f"{'key' * 300}{number}: 1\n" for number in range(100)))
    assert len("\n".join(said)) < 5_000
    assert said[-1] == "There are 80 complaints more."


@given(st.dictionaries(KEYS | st.text("abc:#", min_size=1), VALUES, min_size=1), st.booleans())
def test_the_line_is_the_one_in_which_the_key_stands(content: dict[str, object], flow: bool) -> None:
    text = yaml.safe_dump(content, default_flow_style=None if flow else False, width=1000)
    with suppress(LabConfigError):
        read_config(text)
        return
    lines = text.splitlines()
    for number, path in re.findall(r"^Line (\d+): `([a-z_.]+)`", "\n".join(complaints(text)), re.MULTILINE):
        assert path.rpartition(".")[2] in lines[int(number) - 1] or "labels" in path
