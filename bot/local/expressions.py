"""`${{ … }}` of GitHub's workflows, as much of it as a training workflow needs. The rest is refused by name.

Expression.parse("inputs.pr == '12' && !cancelled()").evaluate(contexts)
Template.parse("run ${{ inputs.request }}").fill(contexts)
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.errors import TrainwrightError

Value = None | bool | float | str | list["Value"] | dict[str, "Value"]
Contexts = Mapping[str, Value]
Thunk = Callable[[Contexts], Value]

KNOWN_CONTEXTS = ("github", "inputs", "env", "vars", "runner", "job", "steps")
STATUS_FUNCTIONS = ("always", "success", "failure", "cancelled")
TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<string>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>&&|\|\||[=!<>]=|[!<>()\[\].,]))"
)


class Unreadable(TrainwrightError):  # noqa: N818 (it is the workflow that is so)
    """Something in a workflow that the stand-in does not know, by name."""


@dataclass(frozen=True)
class Expression:
    source: str
    evaluate: Thunk

    @classmethod
    def parse(cls, source: str) -> "Expression":
        return cls(source, _Parser(source).whole())

    def asks_for_status(self) -> bool:
        return any(re.search(rf"\b{name}\s*\(", self.source) for name in STATUS_FUNCTIONS)


@dataclass(frozen=True)
class Template:
    """Text with expressions in it."""

    source: str
    parts: tuple[str | Expression, ...]

    @classmethod
    def parse(cls, source: str) -> "Template":
        pieces = re.split(r"\$\{\{(.*?)\}\}", source, flags=re.DOTALL)
        parts = (Expression.parse(piece) if at % 2 else piece for at, piece in enumerate(pieces))
        return cls(source, tuple(part for part in parts if part != ""))

    def fill(self, contexts: Contexts) -> str:
        return "".join(part if isinstance(part, str) else text_of(part.evaluate(contexts)) for part in self.parts)

    def value(self, contexts: Contexts) -> Value:
        """The value itself where the whole text is one expression."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Expression):
            return self.parts[0].evaluate(contexts)
        return self.fill(contexts)


def text_of(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, str):
        return value
    return "Array" if isinstance(value, list) else "Object"


def truth(value: Value) -> bool:
    return value not in (None, False, 0.0, "")


def _number(value: Value) -> float:
    if isinstance(value, str):
        try:
            return float(value) if value.strip() else 0.0
        except ValueError:
            return float("nan")
    return float(value) if isinstance(value, bool | float) else 0.0 if value is None else float("nan")


def _equal(one: Value, other: Value) -> bool:
    """As GitHub has it: strings regardless of case, different types as numbers."""
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    if type(one) is type(other):
        return one == other
    return _number(one) == _number(other)


def _from_json(text: str) -> Value:
    def walk(value: object) -> Value:
        if isinstance(value, dict):
            return {str(key): walk(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        return value if isinstance(value, str | bool) else None

    try:
        return walk(json.loads(text))
    except ValueError as error:
        raise Unreadable(f"fromJSON: {text!r} is not JSON") from error


def _status(contexts: Contexts) -> str:
    job = contexts["job"]
    return text_of(job["status"]) if isinstance(job, dict) else ""


def _format(template: Value, *values: Value) -> Value:
    return re.sub(r"\{(\d+)\}", lambda match: text_of(values[int(match[1])]), text_of(template))


def _contains(where: Value, what: Value) -> bool:
    if isinstance(where, list):
        return any(_equal(item, what) for item in where)
    return text_of(what).lower() in text_of(where).lower()


# Name → number of arguments (at least) and what it does; the status functions look at the job.
FUNCTIONS: dict[str, tuple[int, Callable[..., Value]]] = {
    "fromjson": (1, lambda text: _from_json(text_of(text))),
    "tojson": (1, lambda value: json.dumps(value, indent=2)),
    "format": (1, _format),
    "contains": (2, _contains),
    "startswith": (2, lambda text, start: text_of(text).lower().startswith(text_of(start).lower())),
    "endswith": (2, lambda text, end: text_of(text).lower().endswith(text_of(end).lower())),
}
STATUS: dict[str, Callable[[str], bool]] = {
    "always": lambda status: True,
    "success": lambda status: status == "success",
    "failure": lambda status: status == "failure",
    "cancelled": lambda status: status == "cancelled",
}
COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "==": _equal,
    "!=": lambda one, other: not _equal(one, other),
    "<": lambda one, other: _number(one) < _number(other),
    "<=": lambda one, other: _number(one) <= _number(other),
    ">": lambda one, other: _number(one) > _number(other),
    ">=": lambda one, other: _number(one) >= _number(other),
}


class _Parser:
    """Recursive descent, straight to functions of the contexts."""

    def __init__(self, source: str) -> None:
        self._source = source.strip()
        self._tokens = self._cut(self._source)
        self._at = 0

    def whole(self) -> Thunk:
        thunk = self._either()
        if self._peek():
            raise self._unreadable()
        return thunk

    def _cut(self, source: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while at < len(source):
            match = TOKEN.match(source, at)
            if match is None:
                raise Unreadable(f"the expression `{source}`, at `{source[at:]}`")
            assert match.lastgroup
            tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, *signs: str) -> str:
        """The next token if it is one of these signs, else nothing."""
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "sign" and self._peek() in signs:
            self._at += 1
            return self._tokens[self._at - 1][1]
        return ""

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self._unreadable()

    def _unreadable(self) -> Unreadable:
        return Unreadable(f"the expression `{self._source}`, at `{self._peek() or 'its end'}`")

    def _either(self) -> Thunk:
        left = self._both()
        while self._take("||"):
            left = _or(left, self._both())
        return left

    def _both(self) -> Thunk:
        left = self._compared()
        while self._take("&&"):
            left = _and(left, self._compared())
        return left

    def _compared(self) -> Thunk:
        left = self._negated()
        while sign := self._take(*COMPARISONS):
            left = _compare(COMPARISONS[sign], left, self._negated())
        return left

    def _negated(self) -> Thunk:
        if self._take("!"):
            inner = self._negated()
            return lambda contexts: not truth(inner(contexts))
        return self._reached()

    def _reached(self) -> Thunk:
        """A value, and what is looked up in it by `.name` and `[…]`."""
        value = self._value()
        while sign := self._take(".", "["):
            if sign == ".":
                kind, name = self._next()
                if kind != "name":
                    raise self._unreadable()
                value = _look_up(value, _constant(name))
            else:
                value = _look_up(value, self._either())
                self._expect("]")
        return value

    def _value(self) -> Thunk:
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        kind, text = self._next()
        if kind == "number":
            return _constant(float(text))
        if kind == "string":
            return _constant(text[1:-1].replace("''", "'"))
        if kind != "name":
            raise self._unreadable()
        if text in ("true", "false", "null"):
            return _constant({"true": True, "false": False, "null": None}[text])
        return self._call(text) if self._take("(") else self._context(text)

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise self._unreadable()
        self._at += 1
        return self._tokens[self._at - 1]

    def _context(self, name: str) -> Thunk:
        if name not in KNOWN_CONTEXTS:
            raise Unreadable(f"`{name}` in the expression `{self._source}`")
        return lambda contexts: contexts[name]

    def _call(self, name: str) -> Thunk:
        arguments: list[Thunk] = []
        while not self._take(")"):
            arguments.append(self._either())
            if not self._take(",") and self._peek() != ")":
                raise self._unreadable()
        if name in STATUS:
            return lambda contexts: STATUS[name](_status(contexts))
        needed, function = FUNCTIONS.get(name.lower(), (-1, None))
        if function is None or len(arguments) < needed:
            raise Unreadable(f"`{name}()` in the expression `{self._source}`")
        return lambda contexts: function(*(argument(contexts) for argument in arguments))


def _constant(value: Value) -> Thunk:
    return lambda contexts: value


def _or(left: Thunk, right: Thunk) -> Thunk:
    return lambda contexts: value if truth(value := left(contexts)) else right(contexts)


def _and(left: Thunk, right: Thunk) -> Thunk:
    return lambda contexts: right(contexts) if truth(value := left(contexts)) else value


def _compare(comparison: Callable[[Value, Value], bool], left: Thunk, right: Thunk) -> Thunk:
    return lambda contexts: comparison(left(contexts), right(contexts))


def _look_up(value: Thunk, key: Thunk) -> Thunk:
    def thunk(contexts: Contexts) -> Value:
        """What is not there is null, as on GitHub."""
        found, name = value(contexts), key(contexts)
        if isinstance(found, dict):
            return found.get(text_of(name))
        if isinstance(found, list) and isinstance(name, float) and 0 <= name < len(found):
            return found[int(name)]
        return None

    return thunk
