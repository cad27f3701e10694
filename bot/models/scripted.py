"""A model that says what it was told to say: for tests, and to replay what another model once answered."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

from bot.errors import ModelError
from bot.models.model import Prompt, Reply, Role, Usage

_DOLLARS_PER_MILLION = {"input": Decimal("1.00"), "cached": Decimal("0.10"), "output": Decimal("5.00")}


class Scripted:
    """`answer` gets the whole prompt. One that depends on nothing else answers the same after a restart."""

    def __init__(self, name: str, answer: Callable[[Prompt], str]) -> None:
        self.name = name
        self._answer = answer

    @classmethod
    def from_replies(cls, replies: Mapping[Role, Sequence[str]], *, name: str = "scripted") -> "Scripted":
        """Each role has its own replies, given in order; ModelError when a role has none left."""
        return cls(name, _InOrder(replies))

    def ask(self, prompt: Prompt) -> Reply:
        text = self._answer(prompt)
        return Reply(text=text, model=self.name, usage=_usage(prompt, text))


class _InOrder:
    def __init__(self, replies: Mapping[Role, Sequence[str]]) -> None:
        self._left: dict[Role, Iterator[str]] = {role: iter(texts) for role, texts in replies.items()}
        self._one_at_a_time = threading.Lock()

    def __call__(self, prompt: Prompt) -> str:
        with self._one_at_a_time:
            text = next(self._left.get(prompt.role, iter(())), None)
        if text is None:
            raise ModelError(f"The script has no reply left for the {prompt.role}.")
        return text


def _usage(prompt: Prompt, text: str) -> Usage:
    """Words instead of tokens; the system prompt counts as cached."""
    cached, fresh, output = len(prompt.system.split()), len(prompt.user.split()), len(text.split())
    price = _DOLLARS_PER_MILLION
    dollars = (cached * price["cached"] + fresh * price["input"] + output * price["output"]) / 1_000_000
    return Usage(input=cached + fresh, cached=cached, output=output, dollars=dollars)
