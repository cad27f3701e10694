"""A lab's configuration: defaults, choices, and complaints that name the key."""

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.errors import LabConfigError
from bot.lab import LabConfig, read_config
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


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("budgets: {runs: 4}", "`budgets`"),
        ("budget: {runs: four}", "`budget.runs`"),
        ("budget: {runs: 0}", "`budget.runs`"),
        ("budget: {dollars: -1}", "`budget.dollars`"),
        ("runner: {seconds: 0}", "`runner.seconds`"),
        ("runner: {sandbox: some}", "`runner.sandbox`"),
        ("models: {painter: acme/large}", "painter"),
        ("- a list", "must be a mapping"),
        ("just text", "must be a mapping"),
        ("budget: [", "not valid YAML"),
        ("a: b: c", "not valid YAML"),
        ("a: !!int ''", "not valid YAML"),
        ("a: !!bool foo", "not valid YAML"),
        ("a: !!timestamp foo", "not valid YAML"),
    ],
)
def test_a_wrong_configuration_is_named_by_file_and_key(text: str, key: str) -> None:
    with pytest.raises(LabConfigError) as refusal:
        read_config(text)
    assert ".github/trainwright.yml" in str(refusal.value)
    assert key in str(refusal.value)


@pytest.mark.parametrize("text", ["budget: {dollars: .nan}", "a: \0", "1: 2", "!!python/object:os.system {}"])
def test_odd_values_are_refused_too(text: str) -> None:
    with pytest.raises(LabConfigError):
        read_config(text)


def test_the_configuration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_config("").budget.runs = 99  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "limit"),
    [("", 2760), ("runner: {seconds: 20}", 90), ("runner: {seconds: 20, hard_seconds: 30}", 30)],
)
def test_a_training_is_ended_half_as_long_again_and_a_minute_later_or_when_the_lab_says(text: str, limit: int) -> None:
    assert read_config(text).runner.limit == limit


def test_every_complaint_is_told_at_once() -> None:
    with pytest.raises(LabConfigError, match=r"`budget\.runs`.*; `repairs`.*found 'many'"):
        read_config("{budget: {runs: 0}, repairs: many}")


@settings(deadline=None, max_examples=60)
@given(st.text() | st.dictionaries(KEYS, VALUES, max_size=4).map(str))
@example("[" * 500)
@example("a: &a [*a]")
@example("budget: &b {runs: 1, dollars: *b}")
@example("a: 2020-99-99")
def test_any_file_is_a_configuration_or_a_complaint(text: str) -> None:
    with suppress(LabConfigError):
        assert 1 <= read_config(text).budget.runs <= 1000


def test_a_complaint_stays_short_whatever_was_found() -> None:
    text = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 9))
    with pytest.raises(LabConfigError) as refusal:
        read_config(text)
    assert len(str(refusal.value)) < 30_000
