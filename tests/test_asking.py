"""One question, at most one more with the complaints; and what was answered is never paid twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.asking import Asker, Told
from bot.errors import Declined, ModelError, ReplyError, SettingsError
from bot.ledger import Ledger, Slot
from bot.models.model import Model, Prompt, Role
from bot.models.scripted import Scripted

SLOT = Slot("ada/lab", 1, "1", Role.CODER, "event-5", 0)
PROMPT = Prompt(Role.CODER, "system", "Say a number.\n")
NOW = datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=UTC)


class Desk:
    """A model that says these words, one after the other, and what it was asked."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}", clock=lambda: NOW)
        self.words = list(words)
        self.asked: list[Prompt] = []
        self.asker = Asker(self.ledger, self._open)

    def _open(self, name: str) -> Model:
        if name == "nobody":
            raise SettingsError("models: nobody is not known.")
        return Scripted(name, self._answer)

    def _answer(self, prompt: Prompt) -> str:
        self.asked.append(prompt)
        word = self.words.pop(0)
        if word == "down":
            raise ModelError("The model is down.")
        return word

    def ask(self, *resumptions: datetime, model: str = "acme", prompt: Prompt = PROMPT) -> Told[int]:
        return self.asker.ask(prompt, read, slot=SLOT, model=model, resumptions=resumptions)


def read(text: str) -> int:
    if text == "cannot":
        raise Declined("I cannot count.")
    if not text.isdecimal():
        raise ReplyError(f"“{text}” is no number.")
    return int(text)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.ledger.close()


def fails(desk: Desk, error: type[Exception], *resumptions: datetime) -> str:
    with pytest.raises(error) as caught:
        desk.ask(*resumptions)
    return str(caught.value)


def test_a_good_reply_is_told_with_the_call_that_it_took(desk: Desk) -> None:
    desk.words = ["7"]
    told = desk.ask()
    assert told.value == 7
    assert [(call.id, call.role, call.model) for call in told.calls] == [("coder/event-5/0", Role.CODER, "acme")]
    assert told.calls[0].output == 1


def test_a_bad_reply_is_asked_for_once_more_with_the_complaint(desk: Desk) -> None:
    desk.words = ["seven", "7"]
    told = desk.ask()
    assert told.value == 7
    assert [call.id for call in told.calls] == ["coder/event-5/0", "coder/event-5/1"]
    first, second = desk.asked
    assert first == PROMPT
    assert second.user.startswith(PROMPT.user)
    assert "<<<\nseven\n>>>" in second.user
    assert "- “seven” is no number." in second.user


def test_the_second_bad_reply_is_the_last(desk: Desk) -> None:
    desk.words = ["seven", "eight"]
    assert fails(desk, ReplyError) == "“eight” is no number."
    assert len(desk.asked) == 2


def test_what_was_answered_costs_nothing_again(desk: Desk) -> None:
    desk.words = ["seven", "7"]
    once = desk.ask()
    assert desk.ask(prompt=Prompt(Role.CODER, "system", "Something else by now.")) == once
    assert len(desk.asked) == 2


def test_what_was_useless_stays_useless_without_a_further_call(desk: Desk) -> None:
    desk.words = ["seven", "eight"]
    for _ in range(3):
        fails(desk, ReplyError)
    assert len(desk.asked) == 2


def test_a_resumption_allows_one_more_pair(desk: Desk) -> None:
    desk.words = ["one", "two", "three", "four", "5"]
    fails(desk, ReplyError)
    resumed = NOW + timedelta(minutes=1)
    assert fails(desk, ReplyError, resumed) == "“four” is no number."
    assert [prompt == PROMPT for prompt in desk.asked] == [True, False, True, False]
    fails(desk, ReplyError, resumed)
    told = desk.ask(resumed, resumed + timedelta(minutes=1))
    assert told.value == 5
    assert len(told.calls) == len(desk.asked) == 5


def test_a_resumption_from_before_the_question_allows_nothing(desk: Desk) -> None:
    desk.words = ["one", "two"]
    fails(desk, ReplyError, NOW - timedelta(seconds=1))
    assert len(desk.asked) == 2


def test_a_resumption_within_the_same_second_counts(desk: Desk) -> None:
    """GitHub's times have no fractions of a second, ours have."""
    desk.words = ["one", "two", "3"]
    fails(desk, ReplyError)
    assert desk.ask(NOW.replace(microsecond=0)).value == 3


def test_a_model_that_cannot_is_not_asked_again_until_somebody_resumes(desk: Desk) -> None:
    desk.words = ["cannot", "7"]
    assert fails(desk, Declined) == "I cannot count."
    fails(desk, Declined)
    assert desk.asked == [PROMPT]
    assert desk.ask(NOW + timedelta(minutes=1)).value == 7
    assert desk.asked == [PROMPT, PROMPT]


def test_one_that_cannot_after_a_complaint_has_used_up_its_pair(desk: Desk) -> None:
    desk.words = ["seven", "cannot", "7"]
    fails(desk, Declined)
    assert desk.ask(NOW + timedelta(minutes=1)).value == 7


def test_a_model_that_is_down_is_asked_the_same_at_the_next_look(desk: Desk) -> None:
    desk.words = ["down", "7"]
    fails(desk, ModelError)
    assert desk.ask(prompt=Prompt(Role.CODER, "system", "Something else by now.")).value == 7
    assert desk.asked == [PROMPT, PROMPT]


def test_a_model_that_nobody_has_is_an_error_of_the_settings(desk: Desk) -> None:
    with pytest.raises(SettingsError, match="nobody is not known"):
        desk.ask(model="nobody")


def test_after_a_restart_the_stored_replies_win(desk: Desk, tmp_path: Path) -> None:
    desk.words = ["seven", "7"]
    once = desk.ask()
    desk.ledger.close()
    again = Desk(tmp_path)
    assert again.ask() == once
    again.ledger.close()
