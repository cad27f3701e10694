"""What every model is to the bot: something that answers a prompt, and tells what it used."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class Role(StrEnum):
    """What a model is asked to be. Each role may have a model of its own."""

    PLANNER = "planner"
    CODER = "coder"
    SUMMARIZER = "summarizer"
    ANALYST = "analyst"
    REPORTER = "reporter"


@dataclass(frozen=True)
class Prompt:
    """`system` is the same for every call of an experiment, and `user` begins with what changes least: caches hit."""

    role: Role
    system: str
    user: str


@dataclass(frozen=True)
class Usage:
    """Tokens as the provider counted them; `cached` is part of `input`. `dollars` is None when the price is unknown."""

    input: int = 0
    cached: int = 0
    output: int = 0
    dollars: Decimal | None = Decimal(0)


@dataclass(frozen=True)
class Reply:
    text: str
    model: str
    usage: Usage = Usage()
    seconds: float = 0.0


class Model(Protocol):
    """`name` is what people configured (`provider/model`)."""

    name: str

    def ask(self, prompt: Prompt) -> Reply:
        """Raises ModelError when there is no reply."""
        ...
