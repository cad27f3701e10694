"""`${{ … }}`: what it evaluates to, and what it refuses."""

import pytest

from bot.local.expressions import Expression, Template, Unreadable, Value

CONTEXTS: dict[str, Value] = {
    "github": {"run_attempt": "2", "actor": "you"},
    "inputs": {"pr": "12", "fast": "true", "labels": '["self-hosted", "gpu"]'},
    "env": {},
    "vars": {},
    "runner": {"temp": "/tmp"},
    "job": {"status": "success"},
    "steps": {"train": {"outcome": "failure", "outputs": {"a-b": "x"}}},
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("inputs.pr", "12"),
        ("inputs['pr']", "12"),
        ("inputs.pr == 12", True),
        ("inputs.nothing", None),
        ("inputs.nothing == ''", True),
        ("'it''s'", "it's"),
        ("'A' == 'a'", True),
        ("inputs.fast == 'true' && github.actor != 'me'", True),
        ("!(1 > 2) && 3 <= 3.0", True),
        ("inputs.nothing || 'default'", "default"),
        ("vars.LABELS && 'set' || 'unset'", "unset"),
        ("fromJSON(inputs.labels)[1]", "gpu"),
        ("contains(fromJSON(inputs.labels), 'GPU')", True),
        ("format('run {0}-{1}', github.run_attempt, inputs.pr)", "run 2-12"),
        ("steps.train.outputs.a-b", "x"),
        ("steps.train.outcome == 'failure' && always()", True),
        ("success() && !cancelled()", True),
        ("failure()", False),
        ("startsWith('experiment/3', 'experiment/')", True),
        ('fromJSON(\'{"a": {"b": 3}}\').a.b', 3.0),
    ],
)
def test_values(source: str, expected: Value) -> None:
    assert Expression.parse(source).evaluate(CONTEXTS) == expected


def test_text_is_filled_and_a_lone_expression_keeps_its_type() -> None:
    assert Template.parse("#${{ inputs.pr }} of ${{ github.actor }}").fill(CONTEXTS) == "#12 of you"
    assert Template.parse("${{ fromJSON('30') }}").value(CONTEXTS) == 30.0
    assert Template.parse("${{ fromJSON('30') }} min").fill(CONTEXTS) == "30 min"


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("secrets.KEY", "secrets"),
        ("matrix.os", "matrix"),
        ("hashFiles('x')", "hashFiles()"),
        ("1 +", "at ` +`"),
        ("inputs.", "at `its end`"),
        ("(1", "at `its end`"),
        ("format()", "format()"),
        ("'open", "at `'open`"),
    ],
)
def test_what_it_does_not_know_is_refused_by_name(source: str, named: str) -> None:
    with pytest.raises(Unreadable) as refused:
        Expression.parse(source)
    assert named in str(refused.value)
