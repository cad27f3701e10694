"""The stand-in's state in one SQLite file: a table per kind of row, one sequence of ids for all of them.

Any thread may ask. What reads and then writes does so within `transaction()`, which lets one thread through at a time.
"""

import json
import sqlite3
import threading
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from bot.local.refusals import NotFound
from bot.local.rows import KINDS, Row

R = TypeVar("R", bound=Row)

FIRST_ID = 1001
INDEXES = {
    "User": "login",
    "Token": "token",
    "Repository": "owner, name",
    "Issue": "repo_id, number",
    "TimelineEvent": "repo_id, number",
    "Comment": "repo_id, number",
    "PullRequest": "repo_id, number",
    "Review": "repo_id, number",
    "Reaction": "subject, subject_id",
    "CheckRun": "repo_id, head_sha",
    "Artifact": "run_id",
    "Delivery": "status_code",
}


def utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class Store:
    """`before_write` is called once for each transaction, before anything in it is written."""

    def __init__(self, file: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.now = clock
        self.before_write: Callable[[], None] = lambda: None
        self._file = file
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._create_tables()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def frozen(self) -> "Store":
        """As it is now, for good, to be read alone. It costs a connection until it is closed."""
        return FrozenStore(self._file, clock=self.now)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; may be nested, the outermost commits."""
        with self._lock:
            if self._depth == 0:
                self.before_write()
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def add(self, row: R) -> R:
        """Keeps a new row; the answer bears its id."""
        with self.transaction():
            [new_id] = self._db.execute("UPDATE sequence SET last = last + 1 RETURNING last").fetchone()
            row = replace(row, id=new_id)
            values = _encode(row)
            places = ", ".join("?" * len(values))
            self._db.execute(
                f"INSERT INTO {_table(type(row))} ({', '.join(values)}) VALUES ({places})", [*values.values()]
            )
        return row

    def save(self, row: R) -> R:
        """Keeps a changed row (`replace(row, title=…)`)."""
        values = _encode(row)
        with self.transaction():
            settings = ", ".join(f"{name} = ?" for name in values)
            self._db.execute(f"UPDATE {_table(type(row))} SET {settings} WHERE id = ?", [*values.values(), row.id])
        return row

    def remove(self, row: Row) -> None:
        with self.transaction():
            self._db.execute(f"DELETE FROM {_table(type(row))} WHERE id = ?", [row.id])

    def all(self, kind: type[R], *, newest_first: bool = False, **where: object) -> list[R]:
        """All rows whose fields equal these, oldest first (ids grow)."""
        found = self._select(kind, where)
        return found[::-1] if newest_first else found

    def count(self, kind: type[Row], **where: object) -> int:
        with self._lock:
            query = f"SELECT count(*) FROM {_table(kind)} WHERE {_condition(where)}"
            return int(self._db.execute(query, [*where.values()]).fetchone()[0])

    def find(self, kind: type[R], **where: object) -> R | None:
        found = self._select(kind, where)
        return found[0] if found else None

    def get(self, kind: type[R], **where: object) -> R:
        """The one row with these fields, or GitHub's 404."""
        found = self.find(kind, **where)
        if found is None:
            raise NotFound
        return found

    def _select(self, kind: type[R], where: Mapping[str, object]) -> list[R]:
        with self._lock:
            query = f"SELECT * FROM {_table(kind)} WHERE {_condition(where)} ORDER BY id"
            cursor = self._db.execute(query, [*where.values()])
            names = [column[0] for column in cursor.description]
            found = cursor.fetchall()
        return [_decode(kind, dict(zip(names, values, strict=True))) for values in found]

    def _create_tables(self) -> None:
        with self.transaction():
            self._db.execute("CREATE TABLE IF NOT EXISTS sequence (last INTEGER NOT NULL)")
            if self._db.execute("SELECT count(*) FROM sequence").fetchone() == (0,):
                self._db.execute("INSERT INTO sequence VALUES (?)", [FIRST_ID - 1])
            for kind in KINDS:
                others = ", ".join(field.name for field in fields(kind) if field.name != "id")
                self._db.execute(f"CREATE TABLE IF NOT EXISTS {_table(kind)} (id INTEGER PRIMARY KEY, {others})")
            for name, columns in INDEXES.items():
                self._db.execute(f"CREATE INDEX IF NOT EXISTS by_{name} ON {name}s ({columns})")


class FrozenStore(Store):
    """A read transaction that stays open: SQLite's log of writes lets it see what was there when it began."""

    def __init__(self, file: Path, *, clock: Callable[[], datetime]) -> None:
        self.now = clock
        self.before_write = lambda: None
        self._file = file
        self._lock = threading.RLock()
        self._depth = 0
        address = f"{file.resolve().as_uri()}?mode=ro"
        self._db = sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None)
        self._db.execute("BEGIN")
        self._db.execute("SELECT last FROM sequence").fetchone()


def _condition(where: Mapping[str, object]) -> str:
    return " AND ".join(f"{name} IS ?" for name in where) or "1"


def _table(kind: type[Row]) -> str:
    return f"{kind.__name__}s"


def _encode(row: Row) -> dict[str, object]:
    return {field.name: _to_column(getattr(row, field.name)) for field in fields(row)}


def _to_column(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | dict):
        return json.dumps(value)
    return value


def _decode(kind: type[R], columns: dict[str, object]) -> R:
    readers = _readers(kind)
    values: dict[str, typing.Any] = {
        name: None if value is None else readers[name](value) for name, value in columns.items()
    }
    return kind(**values)


_READERS: dict[type[Row], dict[str, Callable[[typing.Any], object]]] = {}


def _readers(kind: type[Row]) -> dict[str, Callable[[typing.Any], object]]:
    if kind not in _READERS:
        _READERS[kind] = {name: _reader(hint) for name, hint in typing.get_type_hints(kind).items()}
    return _READERS[kind]


def _reader(hint: object) -> Callable[[typing.Any], object]:
    """From a column back to the field's type; `X | None` is read as X."""
    if isinstance(hint, types.UnionType):
        [hint] = [part for part in typing.get_args(hint) if part is not type(None)]
    origin = typing.get_origin(hint)
    if hint is datetime:
        return datetime.fromisoformat
    if origin is tuple:
        return lambda text: tuple(json.loads(text))
    if origin is dict:
        return lambda text: dict(json.loads(text))
    if hint is bool:
        return bool
    return lambda value: value
