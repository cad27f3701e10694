"""A model is asked, and asked once more with the exact complaints; every answered call is paid once.

The ledger keeps prompt and reply of each slot. After a crash the stored reply wins, so nothing is asked twice; a reply
that could not be used is asked for anew only after a person has resumed the experiment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from bot import prompts
from bot.errors import Declined, ReplyError
from bot.ledger import Answered, Ledger, Slot
from bot.models.model import Model, Prompt
from bot.records import Call

T = TypeVar("T")


@dataclass(frozen=True)
class Told(Generic[T]):
    """What a reply says, and the calls that it took."""

    value: T
    calls: tuple[Call, ...]


class Asker:
    """`open_model` gives the model of a name; it raises SettingsError for a name that nobody has."""

    def __init__(self, ledger: Ledger, open_model: Callable[[str], Model]) -> None:
        self._ledger = ledger
        self._open_model = open_model

    def ask(
        self, prompt: Prompt, read: Callable[[str], T], *, slot: Slot, model: str, resumptions: Sequence[datetime]
    ) -> Told[T]:
        """Raises ReplyError when the second reply is no better, Declined when the model says that it cannot.

        Ordinals go in pairs: a question, and the same with complaints. Each resumption by a person since the slot was
        first answered allows one more pair.
        """
        calls: list[Call] = []
        question, ordinal, pairs = prompt, 0, 1
        while True:
            asked = replace(slot, ordinal=ordinal)
            answered = self._ledger.reply(asked, question, lambda q: self._open_model(model).ask(q))
            calls.append(_call(asked, answered))
            if ordinal == 0:
                pairs += sum(resumed >= answered.at.replace(microsecond=0) for resumed in resumptions)
            try:
                return Told(read(answered.reply.text), tuple(calls))
            except Declined:
                question, ordinal = prompt, ordinal + 2 - ordinal % 2
                if ordinal >= 2 * pairs:
                    raise
            except ReplyError as error:
                question = prompt if ordinal % 2 else prompts.again(answered.prompt, answered.reply, error)
                ordinal += 1
                if ordinal >= 2 * pairs:
                    raise


def _call(slot: Slot, answered: Answered) -> Call:
    usage = answered.reply.usage
    return Call(
        id=f"{slot.role}/{slot.cause}/{slot.ordinal}",
        role=answered.prompt.role,
        model=answered.reply.model,
        input=usage.input,
        cached=usage.cached,
        output=usage.output,
        dollars=usage.dollars,
    )
