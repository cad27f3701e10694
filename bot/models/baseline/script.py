"""A train.py by its settings: the UPPER_CASE constants on top. Reads and changes them, and nothing else of the code."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MAX_CODE = 200_000
_TEMPLATE = Path(__file__).with_name("train.py")
_NAME = r"[A-Z][A-Z0-9_]+"
_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_LITERAL = rf"""\([^()\n]{{0,200}}\)|"[^"\n]{{0,80}}"|'[^'\n]{{0,80}}'|{_NUMBER}|True|False|None"""
_CHANGE = re.compile(rf"`?\b({_NAME})`?:? (?:from )?`?({_LITERAL})`? ?(?:→|->) ?`?({_LITERAL})")
_SET = re.compile(rf"`?\b({_NAME})`? ?(?:=|:) ?`?({_LITERAL})(?!`? ?(?:→|->))")


@dataclass(frozen=True)
class Change:
    """`NAME`: old → new. Values are Python literals, as they stand in the code; `old` may be unknown."""

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class _Constant:
    value: str
    start: int
    end: int


@cache
def template() -> str:
    """The script that baseline writes first. It is shipped as data and never imported."""
    return _TEMPLATE.read_text(encoding="utf-8")


@cache
def defaults() -> Mapping[str, str]:
    """The settings of the template."""
    return settings(template())


def settings(code: str) -> dict[str, str]:
    """The constants of a script and their literals; none when it does not parse."""
    return {name: constant.value for name, constant in _constants(code).items()}


def with_settings(code: str, values: Mapping[str, str]) -> str:
    """The same script with other values; a name that is no constant of it is passed over."""
    raw = code.encode()
    found = sorted(((constant, name) for name, constant in _constants(code).items()), key=lambda it: -it[0].start)
    for constant, name in found:
        if name in values:
            raw = raw[: constant.start] + values[name].encode() + raw[constant.end :]
    return raw.decode()


def _constants(code: str) -> dict[str, _Constant]:
    if len(code) > MAX_CODE:
        return {}
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    starts = [0]
    for line in code.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return dict(_literals(tree, code.encode(), starts))


def _literals(tree: ast.Module, raw: bytes, starts: list[int]) -> Iterator[tuple[str, _Constant]]:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(target, ast.Name) or value is None:
            continue
        if not re.fullmatch(_NAME, target.id) or value.end_lineno is None or value.end_col_offset is None:
            continue
        start, end = starts[value.lineno - 1] + value.col_offset, starts[value.end_lineno - 1] + value.end_col_offset
        text = raw[start:end].decode()
        if literal(text) is not _NONE:
            yield target.id, _Constant(text, start, end)


_NONE = object()


def literal(text: str) -> object:
    """The value that a literal means; for what is none, something that equals nothing else."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return _NONE


def same(one: str, other: str) -> bool:
    """3e-3 is 0.003."""
    return literal(one) == literal(other) is not _NONE


def changes(text: str) -> tuple[Change, ...]:
    """Every "`NAME`: old → new" in a sentence."""
    return tuple(Change(*match.groups()) for match in _CHANGE.finditer(text) if _is_literal(match[3]))


def wanted(text: str) -> dict[str, str]:
    """Every value that a person asks for: "NAME = value" or "NAME: old → value"."""
    values = {match[1]: match[2] for match in _SET.finditer(text) if _is_literal(match[2])}
    return values | {change.name: change.new for change in changes(text)}


def _is_literal(text: str) -> bool:
    return literal(text) is not _NONE
