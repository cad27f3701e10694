"""Every model call and every write intent: what a crash must not make the bot pay or post twice.

A call is kept under a slot. Its prompt is stored before it is sent and its reply before it is used, each in a
transaction of its own, so that after a kill at any moment the slot tells which of the two is missing.

While the database cannot be used (a full disk, a broken connection) every method raises LedgerError, and what is paid
waits in memory.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import sqlalchemy as sa

from bot.errors import LedgerError, SettingsError
from bot.models.model import Prompt, Reply, Role, Usage


@dataclass(frozen=True)
class Slot:
    """One question. `cause` is an immutable id: a base commit, a workflow run and attempt, a comment, a review."""

    lab: str
    issue: int
    run: str
    role: Role
    cause: str
    ordinal: int = 1


class State(StrEnum):
    ASKED = "asked"  # sent, no reply yet
    ANSWERED = "answered"
    FAILED = "failed"  # the model, or the way to it, raised an error
    LOST = "lost"  # cut off before its reply was stored


@dataclass(frozen=True)
class Answered:
    """`prompt` is the one that was answered: the slot's own. `fresh`: just now; `at`: when."""

    prompt: Prompt
    reply: Reply
    fresh: bool
    at: datetime


@dataclass(frozen=True)
class Booked:
    """One call. A lost one is charged like the answer that followed, for its prompt was the same."""

    slot: Slot
    attempt: int
    state: State
    model: str
    usage: Usage
    seconds: float
    error: str


@dataclass(frozen=True)
class Intent:
    """A write to GitHub that was about to be sent. `attempts` counts `intend`: at 1 nothing was sent before."""

    key: str
    since: datetime
    answered: datetime | None
    attempts: int


class _Utc(sa.types.TypeDecorator[datetime]):
    """Aware in Python, UTC in the database (SQLite keeps no time zone)."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone.")
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


_TABLES = sa.MetaData()
_CALLS = sa.Table(
    "calls",
    _TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("lab", sa.Text, nullable=False),
    sa.Column("issue", sa.BigInteger, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("prompt_role", sa.Text, nullable=False),
    sa.Column("prompt_system", sa.Text, nullable=False),
    sa.Column("prompt_user", sa.Text, nullable=False),
    sa.Column("asked_at", _Utc, nullable=False),
    sa.Column("answered_at", _Utc),
    sa.Column("reply", sa.Text, nullable=False, default=""),
    sa.Column("error", sa.Text, nullable=False, default=""),
    sa.Column("model", sa.Text, nullable=False, default=""),
    sa.Column("tokens_input", sa.BigInteger, nullable=False, default=0),
    sa.Column("tokens_cached", sa.BigInteger, nullable=False, default=0),
    sa.Column("tokens_output", sa.BigInteger, nullable=False, default=0),
    sa.Column("dollars", sa.Text),  # a Decimal's own digits: no float on the way
    sa.Column("seconds", sa.Float, nullable=False, default=0.0),
    sa.UniqueConstraint("lab", "issue", "run", "role", "cause", "ordinal", "attempt"),
)
_INTENTS = sa.Table(
    "intents",
    _TABLES,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("since", _Utc, nullable=False),
    sa.Column("answered", _Utc),
    sa.Column("attempts", sa.Integer, nullable=False),
)
_WITHOUT_TEXTS = [column for column in _CALLS.c if column.name not in ("prompt_system", "prompt_user", "reply")]


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """One process at a time: a lock file beside the SQLite file says who. Its threads may share it."""

    def __init__(self, url: str, *, clock: Callable[[], datetime] = _now) -> None:
        self._clock = clock
        self._lock: _FileLock | None = None
        self._guard = threading.Lock()
        self._asking: WeakValueDictionary[Slot, threading.Lock] = WeakValueDictionary()
        self._unbooked: dict[Slot, sa.Update] = {}
        try:
            self._engine = sa.create_engine(url)
        except (sa.exc.ArgumentError, ImportError) as error:
            raise _unusable(f"cannot be used: {error}") from None
        if self._engine.dialect.name == "sqlite":
            self._lock = _FileLock(_sqlite_file(self._engine))
            sa.event.listen(self._engine, "connect", _durable)
            sa.event.listen(self._engine, "begin", _begin_immediate)
        try:
            _TABLES.create_all(self._engine)
        except sa.exc.DBAPIError as error:
            self.close()
            raise _unusable(f"cannot be opened: {_cause(error.orig or error)}") from None

    def close(self) -> None:
        self._engine.dispose()
        if self._lock:
            self._lock.release()

    def reply(self, slot: Slot, prompt: Prompt, ask: Callable[[Prompt], Reply]) -> Answered:
        """The slot's reply: the stored one, else what `ask` answers to the slot's first prompt.

        What `ask` raises is booked and raised again; the next time it is asked again, with the same prompt. A reply
        that cannot be booked (LedgerError) stays in memory, and is booked when the slot comes again: nobody is asked.
        """
        with self._alone(slot):
            self._catch_up(slot)
            stored = self.stored(slot)
            if stored:
                return stored
            attempt, prompt = self._book_asked(slot, prompt)
            try:
                reply = ask(prompt)
            except Exception as error:
                complaint = _plain(f"{type(error).__name__}: {error}")
                self._book(slot, attempt, state=State.FAILED, error=complaint, dollars="0")
                raise
            reply = replace(reply, text=_plain(reply.text))
            return Answered(prompt, reply, fresh=True, at=self._book_answered(slot, attempt, reply))

    def stored(self, slot: Slot) -> Answered | None:
        """The slot's reply, if there is one. Asks nobody."""
        with self._transaction() as database:
            row = database.execute(_CALLS.select().where(_is(slot), _CALLS.c.state == State.ANSWERED.value)).first()
        return Answered(_prompt(row), _reply(row), fresh=False, at=row.answered_at) if row else None

    def calls(self, lab: str, issue: int) -> tuple[Booked, ...]:
        """Every call of an experiment, in the order in which they were made."""
        where = (_CALLS.c.lab == lab) & (_CALLS.c.issue == issue)
        with self._transaction() as database:
            rows = database.execute(sa.select(*_WITHOUT_TEXTS).where(where).order_by(_CALLS.c.id)).all()
        return _charge_lost(tuple(map(_booked, rows)))

    def intend(self, key: str, now: datetime) -> Intent:
        """To be called before a write is sent. `since` stays that of the first time, until it is forgotten."""
        with self._transaction() as database:
            row = database.execute(_INTENTS.select().where(_INTENTS.c.key == key)).first()
            intent = Intent(key, row.since, row.answered, row.attempts + 1) if row else Intent(key, now, None, 1)
            if row:
                database.execute(_INTENTS.update().where(_INTENTS.c.key == key).values(attempts=intent.attempts))
            else:
                database.execute(_INTENTS.insert().values(key=key, since=now, attempts=1))
        return intent

    def answered(self, key: str, now: datetime) -> None:
        """GitHub has confirmed the write."""
        with self._transaction() as database:
            database.execute(_INTENTS.update().where(_INTENTS.c.key == key).values(answered=now))

    def forget(self, key: str) -> None:
        """The write did not happen, or what it made is gone: the next `intend` is the first again."""
        with self._transaction() as database:
            database.execute(_INTENTS.delete().where(_INTENTS.c.key == key))

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """The door: whatever the database raises becomes LedgerError."""
        try:
            with self._engine.begin() as database:
                yield database
        except sa.exc.DBAPIError as error:
            # A connection that was opened while nothing could be written would stay so.
            self._engine.dispose()
            # Not `from error`: its text holds the prompt, and would be logged.
            raise _unavailable(error.orig or error) from error.orig
        except sa.exc.TimeoutError as error:
            raise _unavailable(error) from error

    @contextmanager
    def _alone(self, slot: Slot) -> Iterator[None]:
        """A second thread with the same slot waits, and finds the reply stored."""
        with self._guard:
            lock = self._asking.setdefault(slot, threading.Lock())
        with lock:
            yield

    def _book_asked(self, slot: Slot, prompt: Prompt) -> tuple[int, Prompt]:
        """Stores the prompt; the attempt's number, and the prompt to send."""
        with self._transaction() as database:
            last = database.execute(_CALLS.select().where(_is(slot)).order_by(_CALLS.c.attempt.desc()).limit(1)).first()
            cut_off = _CALLS.update().where(_is(slot), _CALLS.c.state == State.ASKED.value)
            database.execute(cut_off.values(state=State.LOST.value))
            attempt = last.attempt + 1 if last else 1
            prompt = _prompt(last) if last else _plain_prompt(prompt)
            database.execute(
                _CALLS.insert().values(
                    **_columns(slot),
                    attempt=attempt,
                    state=State.ASKED.value,
                    prompt_role=prompt.role.value,
                    prompt_system=prompt.system,
                    prompt_user=prompt.user,
                    asked_at=self._clock(),
                )
            )
        return attempt, prompt

    def _book_answered(self, slot: Slot, attempt: int, reply: Reply) -> datetime:
        usage = reply.usage
        return self._book(
            slot,
            attempt,
            state=State.ANSWERED,
            reply=reply.text,
            model=reply.model,
            tokens_input=usage.input,
            tokens_cached=usage.cached,
            tokens_output=usage.output,
            dollars=None if usage.dollars is None else str(usage.dollars),
            seconds=reply.seconds,
        )

    def _book(self, slot: Slot, attempt: int, *, state: State, **values: str | int | float | None) -> datetime:
        now = self._clock()
        call = _CALLS.update().where(_is(slot), _CALLS.c.attempt == attempt)
        self._unbooked[slot] = call.values(state=state.value, answered_at=now, **values)
        self._catch_up(slot)
        return now

    def _catch_up(self, slot: Slot) -> None:
        """Books what became of the slot's last call. What fails stays to be booked."""
        if slot in self._unbooked:
            with self._transaction() as database:
                database.execute(self._unbooked[slot])
            del self._unbooked[slot]


def _columns(slot: Slot) -> dict[str, str | int]:
    return {**vars(slot), "role": slot.role.value}


def _is(slot: Slot) -> sa.ColumnElement[bool]:
    return sa.and_(*(_CALLS.c[name] == value for name, value in _columns(slot).items()))


def _slot(row: sa.Row[Any]) -> Slot:
    return Slot(row.lab, row.issue, row.run, Role(row.role), row.cause, row.ordinal)


def _prompt(row: sa.Row[Any]) -> Prompt:
    return Prompt(Role(row.prompt_role), row.prompt_system, row.prompt_user)


def _reply(row: sa.Row[Any]) -> Reply:
    return Reply(row.reply, row.model, _usage(row), row.seconds)


def _usage(row: sa.Row[Any]) -> Usage:
    dollars = None if row.dollars is None else Decimal(row.dollars)
    return Usage(row.tokens_input, row.tokens_cached, row.tokens_output, dollars)


def _booked(row: sa.Row[Any]) -> Booked:
    return Booked(_slot(row), row.attempt, State(row.state), row.model, _usage(row), row.seconds, row.error)


def _charge_lost(calls: tuple[Booked, ...]) -> tuple[Booked, ...]:
    answers = {call.slot: call for call in calls if call.state is State.ANSWERED}
    return tuple(
        replace(call, model=answer.model, usage=answer.usage)
        if call.state is State.LOST and (answer := answers.get(call.slot))
        else call
        for call in calls
    )


def _plain(text: str) -> str:
    """As every database can store it: half a surrogate pair or a NUL would make it refuse a reply that is paid."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _plain_prompt(prompt: Prompt) -> Prompt:
    return replace(prompt, system=_plain(prompt.system), user=_plain(prompt.user))


def _durable(connection: Any, record: object) -> None:
    """`isolation_level = None` keeps Python's sqlite3 from opening transactions of its own."""
    connection.isolation_level = None
    for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    """Locked for writing from the start: what a transaction has read is still so when it writes."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class _FileLock:
    """Held until it is released or the process ends, in whatever way."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise _unusable(f"needs a lock file, and {path} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = f"another process{self._pid()}, which holds {path}"
            self._file.close()
            raise _unusable(f"is in use by {holder}. Stop that one, or give this one another database") from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        self._file.close()

    def _pid(self) -> str:
        self._file.seek(0)
        pid = self._file.read(20).strip()
        return f" (pid {pid})" if pid.isdecimal() else ""


def _sqlite_file(engine: sa.Engine) -> Path:
    name = engine.url.database
    if not name or name == ":memory:":
        raise _unusable("is in memory, which no restart survives. Name a file: sqlite:///trainwright.db")
    return Path(name).resolve()


_REMEDIES = {
    "is full": ("cannot be written", "Free some space on the bot's machine"),
    "No space left": ("cannot be written", "Free some space on its disk"),
    "read-only": ("cannot be written", "See why its server lets nobody write"),
    "readonly": (
        "cannot be written",
        "Let the bot's user write to its file, to those beside it (-wal, -shm) and to their folder",
    ),
    "unable to open": (
        "cannot be opened",
        "See that its folder is there, is the bot's to write to, and has space left",
    ),
    "I/O error": ("cannot be read or written", "See whether the disk is full or broken"),
    "locked": ("cannot be written", "End the other program that holds it"),
    "malformed": ("is damaged", "Stop the bot, put a backup in its place, and start it again"),
    "not a database": ("is damaged", "Stop the bot, put a backup in its place, and start it again"),
}
"""By what SQLite and PostgreSQL say: what that means, and what to do."""
_REMEDY = ("cannot be used", "See that it runs, and that the bot's machine reaches it")


def _unavailable(error: BaseException) -> LedgerError:
    cause = _cause(error)
    state, remedy = next((told for said, told in _REMEDIES.items() if said in cause), _REMEDY)
    return LedgerError(f"The bot's database {state}: {cause}. {remedy}; I go on by myself.")


def _cause(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


def _unusable(complaint: str) -> SettingsError:
    return SettingsError(f"TRAINWRIGHT_DATABASE: the database {complaint}.")
