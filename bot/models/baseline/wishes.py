"""What baseline can read of people's words: names of settings, values for them, and whether they are wanted. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from bot.models.baseline.knobs import KNOBS
from bot.models.baseline.script import wanted

ASKED = "Asked for: "
_NEGATIVE = re.compile(
    r"\b(no|not|don'?t|do not|never|without|skip|drop|stop|avoid|leave|ignore|forget|exclude|keep|enough)\b",
    re.IGNORECASE,
)
_MOST = 40  # sentences that are looked at


@dataclass(frozen=True)
class Wishes:
    """`values` are to be set, `first` are the settings to vary first, `dropped` those to leave alone."""

    values: Mapping[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def read(text: str) -> Wishes:
    """Sentence by sentence. One that names no setting is among the unread, as it stands."""
    values: dict[str, str] = {}
    first, dropped, unread = list[str](), list[str](), list[str]()
    for sentence in _sentences(text):
        names = [name for name in named(sentence) if name not in (*first, *dropped)]
        here = {name: value for name, value in wanted(sentence).items() if name in named(sentence)}
        values |= here
        if not named(sentence):
            unread.append(sentence)
        elif _NEGATIVE.search(sentence) and not here:
            dropped += names
        else:
            first += [name for name in names if name not in here]
    return Wishes(values, tuple(first), tuple(dropped), tuple(unread))


def named(text: str) -> list[str]:
    """The settings that a text names, in its order: by their constants, or by what people call them."""
    found: list[tuple[int, str]] = []
    for knob in KNOBS:
        words = "|".join(re.escape(word) for word in knob.said)
        match = re.search(rf"\b{knob.name}\b", text) or re.search(rf"\b(?:{words})s?\b", text, re.IGNORECASE)
        if match:
            found.append((match.start(), knob.name))
    return [name for _, name in sorted(found)]


def in_task(text: str) -> list[str]:
    """The settings of a task: constants only, so that a task says exactly which."""
    return [knob.name for knob in KNOBS if re.search(rf"\b{knob.name}\b", text)]


def open_knobs(tasks: Iterable[tuple[str, bool]]) -> frozenset[str] | None:
    """The settings that TASKS.md leaves to be varied; None when it names none at all, finished tasks included."""
    tasks = list(tasks)
    if not any(in_task(text) for text, _ in tasks):
        return None
    return frozenset(name for text, done in tasks if not done for name in in_task(text))


def with_name(tasks: Iterable[str], names: Collection[str]) -> list[str]:
    return [task for task in tasks if set(in_task(task)) & set(names)]


def _sentences(text: str) -> list[str]:
    parts = re.split(r"(?<=[.;!?])\s+|\n+|,\s+(?=(?:but|then|and)\s)", text)
    return [part.strip(" -*•\t.;!?") for part in parts if re.search(r"\w", part)][:_MOST]
