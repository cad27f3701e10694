"""The scripted model: replies per role in order, and figures that do not change."""

from decimal import Decimal

import pytest

from bot.errors import ModelError
from bot.models.model import Model, Prompt, Reply, Role, Usage
from bot.models.scripted import Scripted

PLAN = Prompt(Role.PLANNER, "You plan.", "The idea is this.")
CODE = Prompt(Role.CODER, "You code.", "The plan is that.")


def test_it_answers_by_the_prompt() -> None:
    model: Model = Scripted("acme/echo-1", lambda prompt: prompt.user.upper())
    reply = model.ask(PLAN)
    assert (reply.text, reply.model) == ("THE IDEA IS THIS.", "acme/echo-1")


def test_each_role_gets_its_replies_in_order() -> None:
    model = Scripted.from_replies({Role.PLANNER: ["plan 1", "plan 2"], Role.CODER: ["code 1"]})
    assert [model.ask(prompt).text for prompt in (PLAN, CODE, PLAN)] == ["plan 1", "code 1", "plan 2"]


@pytest.mark.parametrize("replies", [{}, {Role.PLANNER: []}, {Role.CODER: ["code 1"]}])
def test_a_role_without_a_reply_left_is_named(replies: dict[Role, list[str]]) -> None:
    with pytest.raises(ModelError, match="planner"):
        Scripted.from_replies(replies).ask(PLAN)


def test_usage_and_dollars_follow_from_the_texts() -> None:
    model = Scripted.from_replies({Role.PLANNER: ["one two three", "one two three"]})
    first = model.ask(PLAN)
    assert first == Reply("one two three", "scripted", Usage(6, 2, 3, Decimal("0.0000192")))
    assert model.ask(PLAN) == first
