"""A diff as a person reads it: lines with their numbers on both sides, in colours; pictures before and after."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Literal

from markupsafe import Markup

from bot.local.git import FileChange, Git
from bot.local.pages.highlight import highlighted_lines, language_of

MOST_LINES = 2_000
"""Of one file; a longer diff is cut with a word about it."""

IMAGES = ("png", "jpg", "jpeg", "gif", "webp")

_HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True)
class DiffLine:
    kind: Literal["hunk", "add", "del", "same", "note"]
    old: int | None
    new: int | None
    html: Markup


@dataclass(frozen=True)
class ChangedFile:
    change: FileChange
    lines: tuple[DiffLine, ...]
    cut: bool
    before: str | None = None
    """`sha/path` of a picture, as the blob pages name it."""
    after: str | None = None

    @property
    def is_image(self) -> bool:
        return bool(self.before or self.after)


def is_image(path: str) -> bool:
    return language_of(path) in IMAGES


def changed_files(git: Git, base: str, head: str, changes: list[FileChange]) -> list[ChangedFile]:
    return [_changed_file(git, base, head, change) for change in changes]


def _changed_file(git: Git, base: str, head: str, change: FileChange) -> ChangedFile:
    old_name = None if change.status == "added" else f"{base}:{change.former_path or change.path}"
    new_name = None if change.status == "removed" else f"{head}:{change.path}"
    if is_image(change.path):
        before, after = (name and name.replace(":", "/", 1) for name in (old_name, new_name))
        return ChangedFile(change, (), cut=False, before=before, after=after)
    language = language_of(change.path)
    old, new = (_source_lines(git, name, language) for name in (old_name, new_name))
    lines = tuple(diff_lines(change.patch or "", old, new))
    return ChangedFile(change, lines[:MOST_LINES], cut=len(lines) > MOST_LINES)


def _source_lines(git: Git, name: str | None, language: str) -> list[str]:
    content = git.blob(name) if name else None
    return highlighted_lines((content or b"").decode(errors="replace"), language)


def diff_lines(patch: str, old: list[str], new: list[str]) -> Iterator[DiffLine]:
    """`old` and `new` are the whole files as HTML, by line: only a whole file knows which strings span lines."""
    old_at = new_at = 0
    for line in patch.split("\n") if patch else ():
        hunk = _HUNK.match(line)
        if hunk:
            old_at, new_at = int(hunk[1]), int(hunk[2])
            yield DiffLine("hunk", None, None, _plain(line))
        elif line.startswith("\\"):
            yield DiffLine("note", None, None, _plain(line[2:]))
        elif line.startswith("-"):
            yield DiffLine("del", old_at, None, _coloured(old, old_at, line))
            old_at += 1
        elif line.startswith("+"):
            yield DiffLine("add", None, new_at, _coloured(new, new_at, line))
            new_at += 1
        else:
            yield DiffLine("same", old_at, new_at, _coloured(new, new_at, line))
            old_at, new_at = old_at + 1, new_at + 1


def _coloured(lines: list[str], number: int, line: str) -> Markup:
    """Highlighting escapes whatever it does not colour."""
    return Markup(lines[number - 1]) if 0 < number <= len(lines) else _plain(line[1:])


def _plain(text: str) -> Markup:
    return Markup(escape(text, quote=False))
