"""No answered call is paid twice, whatever is cut off; and one process at a time."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.errors import LedgerError, ModelError, SettingsError
from bot.ledger import Answered, Ledger, Slot, State
from bot.models.model import Prompt, Reply, Role, Usage

SLOT = Slot("you/lab", 12, "3", Role.CODER, "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
PROMPT = Prompt(Role.CODER, "You write train.py.", "Run 3: a longer context.")
CHANGED = replace(PROMPT, user="Run 3: something else by now.")
REPLY = Reply("```python\nimport torch\n```", "acme/coder-1", Usage(900, 300, 45, Decimal("0.0042100")), 7.25)
NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'trainwright.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url, clock=lambda: NOW)
    yield ledger
    ledger.close()


def answer(prompt: Prompt) -> Reply:
    return REPLY


def must_not_be_asked(prompt: Prompt) -> Reply:
    pytest.fail("The model was asked again.")


def be_killed(prompt: Prompt) -> Reply:
    """What a SIGKILL leaves behind: no handler for ordinary errors runs."""
    raise KeyboardInterrupt


def down(prompt: Prompt) -> Reply:
    raise ModelError("The model is down.")


def states(ledger: Ledger) -> list[State]:
    return [call.state for call in ledger.calls("you/lab", 12)]


# Calls


def test_the_first_time_the_model_is_asked(ledger: Ledger) -> None:
    assert ledger.stored(SLOT) is None
    assert ledger.reply(SLOT, PROMPT, answer) == Answered(PROMPT, REPLY, fresh=True, at=NOW)


def test_afterwards_the_slot_s_prompt_and_reply_win(ledger: Ledger) -> None:
    ledger.reply(SLOT, PROMPT, answer)
    assert ledger.reply(SLOT, CHANGED, must_not_be_asked) == Answered(PROMPT, REPLY, fresh=False, at=NOW)
    assert ledger.stored(SLOT) == Answered(PROMPT, REPLY, fresh=False, at=NOW)


@pytest.mark.parametrize(
    "other",
    [
        replace(SLOT, lab="you/other"),
        replace(SLOT, issue=13),
        replace(SLOT, run="3a"),
        replace(SLOT, role=Role.PLANNER),
        replace(SLOT, cause="review 7"),
        replace(SLOT, ordinal=2),
    ],
)
def test_each_part_of_a_slot_makes_it_another(ledger: Ledger, other: Slot) -> None:
    ledger.reply(SLOT, PROMPT, answer)
    assert ledger.reply(other, CHANGED, answer) == Answered(CHANGED, REPLY, fresh=True, at=NOW)


def test_a_call_cut_off_is_lost_and_asked_again_with_its_own_prompt(ledger: Ledger) -> None:
    with pytest.raises(KeyboardInterrupt):
        ledger.reply(SLOT, PROMPT, be_killed)
    assert states(ledger) == [State.ASKED]
    assert ledger.reply(SLOT, CHANGED, answer) == Answered(PROMPT, REPLY, fresh=True, at=NOW)
    assert states(ledger) == [State.LOST, State.ANSWERED]
    assert ledger.reply(SLOT, CHANGED, must_not_be_asked).prompt == PROMPT


def test_an_error_is_booked_and_the_next_look_asks_again(ledger: Ledger) -> None:
    with pytest.raises(ModelError, match="down"):
        ledger.reply(SLOT, PROMPT, down)
    assert ledger.reply(SLOT, CHANGED, answer).prompt == PROMPT
    failed, answered = ledger.calls("you/lab", 12)
    assert (failed.state, failed.error, failed.usage) == (State.FAILED, "ModelError: The model is down.", Usage())
    assert (answered.state, answered.error, answered.attempt) == (State.ANSWERED, "", 2)


def test_every_call_is_booked_with_what_it_used(ledger: Ledger) -> None:
    ledger.reply(SLOT, PROMPT, answer)
    ledger.reply(replace(SLOT, issue=13), PROMPT, answer)
    (call,) = ledger.calls("you/lab", 12)
    assert (call.slot, call.state, call.model) == (SLOT, State.ANSWERED, "acme/coder-1")
    assert (call.usage, str(call.usage.dollars), call.seconds) == (REPLY.usage, "0.0042100", 7.25)


def test_an_unknown_price_stays_unknown(ledger: Ledger) -> None:
    ledger.reply(SLOT, PROMPT, lambda prompt: replace(REPLY, usage=Usage(1, 0, 1, None)))
    assert ledger.reply(SLOT, PROMPT, must_not_be_asked).reply.usage == Usage(1, 0, 1, None)


def test_a_lost_call_costs_as_much_as_the_answer_that_followed(ledger: Ledger) -> None:
    with pytest.raises(KeyboardInterrupt):
        ledger.reply(SLOT, PROMPT, be_killed)
    assert [call.usage.dollars for call in ledger.calls("you/lab", 12)] == [None]
    ledger.reply(SLOT, PROMPT, answer)
    assert [call.usage for call in ledger.calls("you/lab", 12)] == [REPLY.usage, REPLY.usage]


@pytest.mark.parametrize("text", ["", "half a pair: \ud83d", "NUL: \0", "ä 😀 \u2028", "x" * 1_000_000])
def test_any_text_is_kept_and_the_first_answer_equals_the_stored_one(ledger: Ledger, text: str) -> None:
    asked = list[Prompt]()

    def echo(prompt: Prompt) -> Reply:
        asked.append(prompt)
        return replace(REPLY, text=text)

    fresh = ledger.reply(SLOT, replace(PROMPT, user=text), echo)
    stored = ledger.reply(SLOT, PROMPT, must_not_be_asked)
    assert stored == replace(fresh, fresh=False)
    assert asked == [stored.prompt]


def test_threads_with_the_same_slot_ask_once(ledger: Ledger) -> None:
    asked, replies, together = list[Prompt](), list[Answered](), threading.Barrier(8)

    def ask(prompt: Prompt) -> Reply:
        asked.append(prompt)
        return REPLY

    def look() -> None:
        together.wait(30)
        replies.append(ledger.reply(SLOT, PROMPT, ask))

    _side_by_side([threading.Thread(target=look) for _ in range(8)])
    assert len(asked) == 1
    assert sorted(reply.fresh for reply in replies) == [False] * 7 + [True]


def test_threads_with_different_slots_do_not_wait_for_each_other(ledger: Ledger) -> None:
    together = threading.Barrier(8)

    def ask(prompt: Prompt) -> Reply:
        together.wait(30)
        return REPLY

    slots = [replace(SLOT, ordinal=number) for number in range(8)]
    _side_by_side([threading.Thread(target=ledger.reply, args=(slot, PROMPT, ask)) for slot in slots])
    assert states(ledger) == [State.ANSWERED] * 8


def _side_by_side(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_it_is_all_there_after_a_restart(url: str) -> None:
    for asked in (answer, must_not_be_asked):
        ledger = Ledger(url)
        assert ledger.reply(SLOT, PROMPT, asked).reply == REPLY
        ledger.close()


# Intents


def test_an_intent_is_the_first_until_it_is_forgotten(ledger: Ledger) -> None:
    later = NOW + timedelta(seconds=30)
    first, second = ledger.intend("comment 12 status", NOW), ledger.intend("comment 12 status", later)
    assert (first.since, first.answered, first.attempts) == (NOW, None, 1)
    assert (second.since, second.answered, second.attempts) == (NOW, None, 2)
    ledger.forget("comment 12 status")
    assert ledger.intend("comment 12 status", later) == replace(first, since=later)


def test_an_answered_intent_says_so(ledger: Ledger) -> None:
    ledger.intend("one", NOW)
    ledger.intend("two", NOW)
    ledger.answered("one", NOW + timedelta(seconds=1))
    assert ledger.intend("one", NOW).answered == NOW + timedelta(seconds=1)
    assert ledger.intend("two", NOW).answered is None


def test_times_are_kept_in_utc(ledger: Ledger) -> None:
    ledger.intend("one", NOW.astimezone(timezone(timedelta(hours=5))))
    assert ledger.intend("one", NOW).since.isoformat() == "2026-11-23T06:30:00+00:00"


def test_a_time_without_a_zone_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Exception, match="no time zone"):
        ledger.intend("one", NOW.replace(tzinfo=None))


# The file


def test_a_second_process_is_refused_by_name(ledger: Ledger, url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"pid {os.getpid()}.*{tmp_path}/trainwright.db.lock.*Stop that one"):
        Ledger(url)


def test_the_lock_ends_with_the_ledger(url: str) -> None:
    Ledger(url).close()
    Ledger(url).close()


def test_it_survives_power_cuts_by_its_settings(ledger: Ledger, tmp_path: Path) -> None:
    with ledger._engine.connect() as database:
        assert database.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    reader = sqlite3.connect(tmp_path / "trainwright.db")
    assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    reader.close()


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path}/a/b/trainwright.db").close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("trainwright.db", "Could not parse"),
        ("delphi://x", "Can't load plugin"),
        ("sqlite:////dev/null/trainwright.db", "lock file"),
    ],
)
def test_a_database_that_cannot_be_used_names_the_setting(url: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=f"TRAINWRIGHT_DATABASE.*{complaint}"):
        Ledger(url)


def test_another_file_is_left_alone_and_unlocked(url: str, tmp_path: Path) -> None:
    (tmp_path / "trainwright.db").write_bytes(b"precious" * 1000)
    for _ in range(2):
        with pytest.raises(SettingsError, match="not a database"):
            Ledger(url)
    assert (tmp_path / "trainwright.db").read_bytes() == b"precious" * 1000


# A database that cannot be used for a while


@contextmanager
def full_disk(ledger: Ledger) -> Iterator[None]:
    """SQLite gets no page more than the file has: a short row still finds room, a long text does not."""

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    with _listening(ledger, "connect", limit):
        yield


@contextmanager
def broken(ledger: Ledger, error: sqlite3.Error) -> Iterator[None]:
    """Every statement fails like this; so do PostgreSQL's when its connection breaks."""

    def fail(*_: object) -> None:
        raise error

    with _listening(ledger, "do_execute", fail):
        yield


@contextmanager
def _listening(ledger: Ledger, event: str, listener: Callable[..., None]) -> Iterator[None]:
    sa.event.listen(ledger._engine, event, listener)
    ledger._engine.dispose()
    yield
    sa.event.remove(ledger._engine, event, listener)
    ledger._engine.dispose()


LONG = "x" * 100_000
USES: list[Callable[[Ledger], object]] = [
    lambda ledger: ledger.reply(SLOT, PROMPT, must_not_be_asked),
    lambda ledger: ledger.stored(SLOT),
    lambda ledger: ledger.calls("you/lab", 12),
    lambda ledger: ledger.intend("one", NOW),
    lambda ledger: ledger.answered("one", NOW),
    lambda ledger: ledger.forget("one"),
]


@pytest.mark.parametrize("use", USES)
def test_a_file_that_cannot_be_opened_is_told_and_used_again_afterwards(
    tmp_path: Path, use: Callable[[Ledger], object]
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/there/trainwright.db", clock=lambda: NOW)
    ledger.reply(SLOT, PROMPT, answer)
    ledger._engine.dispose()
    (tmp_path / "there").rename(tmp_path / "gone")
    with pytest.raises(LedgerError, match=r"^The bot's database cannot be opened: unable to open database file\. See "):
        use(ledger)
    (tmp_path / "gone").rename(tmp_path / "there")
    use(ledger)
    ledger.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            sqlite3.OperationalError("disk I/O error"),
            "The bot's database cannot be read or written: disk I/O error. "
            "See whether the disk is full or broken; I go on by myself.",
        ),
        (
            sqlite3.OperationalError("attempt to write a readonly database"),
            "The bot's database cannot be written: attempt to write a readonly database. "
            "Let the bot's user write to its file, to those beside it (-wal, -shm) and to their folder; "
            "I go on by myself.",
        ),
        (
            sqlite3.DatabaseError("database disk image is malformed"),
            "The bot's database is damaged: database disk image is malformed. "
            "Stop the bot, put a backup in its place, and start it again; I go on by myself.",
        ),
        (
            sqlite3.InterfaceError("connection is bad: Connection refused\n\tIs the server running on that host?"),
            "The bot's database cannot be used: connection is bad: Connection refused. "
            "See that it runs, and that the bot's machine reaches it; I go on by myself.",
        ),
    ],
)
def test_any_error_is_a_sentence_that_names_cause_and_next_step(
    ledger: Ledger, error: sqlite3.Error, told: str
) -> None:
    for use in USES:
        with broken(ledger, error), pytest.raises(LedgerError) as refusal:
            use(ledger)
        assert str(refusal.value) == told
    assert states(ledger) == []


def test_another_program_that_holds_the_file_is_told(ledger: Ledger, tmp_path: Path) -> None:
    def at_once(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA busy_timeout = 0")

    other = sqlite3.connect(tmp_path / "trainwright.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with _listening(ledger, "connect", at_once), pytest.raises(LedgerError, match=r"locked\. End the other program"):
        ledger.stored(SLOT)
    other.close()
    assert ledger.stored(SLOT) is None


def test_after_an_error_the_file_is_opened_anew(ledger: Ledger) -> None:
    opened = []

    def first_read_only(connection: sqlite3.Connection, _: object) -> None:
        opened.append(connection)
        connection.execute(f"PRAGMA query_only = {len(opened) == 1}")

    with _listening(ledger, "connect", first_read_only):
        with pytest.raises(LedgerError, match=r"readonly database\. Let the bot's user write"):
            ledger.intend("one", NOW)
        assert ledger.intend("one", NOW).attempts == 1


def test_a_full_disk_is_told_before_anything_is_paid(ledger: Ledger) -> None:
    with full_disk(ledger), pytest.raises(LedgerError) as refusal:
        ledger.reply(SLOT, replace(PROMPT, user=LONG), must_not_be_asked)
    assert str(refusal.value) == (
        "The bot's database cannot be written: database or disk is full. "
        "Free some space on the bot's machine; I go on by myself."
    )
    assert states(ledger) == []
    assert ledger.reply(SLOT, PROMPT, answer).fresh


def test_a_reply_that_finds_the_disk_full_is_kept_and_stored_later(ledger: Ledger) -> None:
    long = replace(REPLY, text=LONG)
    with full_disk(ledger):
        with pytest.raises(LedgerError, match="is full"):
            ledger.reply(SLOT, PROMPT, lambda prompt: long)
        for _ in range(2):
            with pytest.raises(LedgerError, match="is full"):
                ledger.reply(SLOT, CHANGED, must_not_be_asked)
        assert states(ledger) == [State.ASKED]
        assert ledger.reply(replace(SLOT, ordinal=2), PROMPT, answer).fresh
    assert ledger.reply(SLOT, CHANGED, must_not_be_asked) == Answered(PROMPT, long, fresh=False, at=NOW)
    assert [call.usage for call in ledger.calls("you/lab", 12)] == [REPLY.usage] * 2
    assert ledger.reply(SLOT, CHANGED, must_not_be_asked).reply == long


def test_a_failed_call_that_finds_the_disk_full_is_no_lost_one(ledger: Ledger) -> None:
    def fail(prompt: Prompt) -> Reply:
        raise ModelError(LONG)

    with full_disk(ledger), pytest.raises(LedgerError, match="is full"):
        ledger.reply(SLOT, PROMPT, fail)
    assert ledger.reply(SLOT, CHANGED, answer).prompt == PROMPT
    assert states(ledger) == [State.FAILED, State.ANSWERED]


def test_what_is_logged_of_an_error_holds_no_prompt(ledger: Ledger) -> None:
    prompt = replace(PROMPT, user="hush" * 30_000)
    with full_disk(ledger), pytest.raises(LedgerError) as refusal:
        ledger.reply(SLOT, prompt, must_not_be_asked)
    assert "hushhush" not in "".join(traceback.format_exception(refusal.value))


# Kills

STORY = textwrap.dedent("""
    import os, signal, sys
    from datetime import UTC, datetime
    import sqlalchemy as sa
    from bot.ledger import Ledger, Slot
    from bot.models.model import Prompt, Reply, Role

    url, paid, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
    statements = 0

    def count(*_):
        global statements
        statements += 1
        if statements == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def ask(prompt):
        with open(paid, "a") as file:
            file.write("paid\\n")
        return Reply("text", "acme/coder-1")

    for event in ("before_cursor_execute", "after_cursor_execute", "commit"):
        sa.event.listen(sa.Engine, event, count)
    ledger = Ledger(url)
    ledger.reply(Slot("you/lab", 12, "3", Role.CODER, "base"), Prompt(Role.CODER, "s", "u"), ask)
    ledger.intend("key", datetime.now(UTC))
    ledger.answered("key", datetime.now(UTC))
    print("done")
""")


def _tell(url: str, paid: Path, *, last: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", STORY, url, str(paid), str(last)]
    root = Path(__file__).parent.parent
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=root)


@pytest.mark.parametrize("last", [6, 24, 29, 33, 34, 40])
def test_killed_between_two_statements_it_goes_on(tmp_path: Path, last: int) -> None:
    assert _killed_and_told_again(tmp_path, last=last)


@pytest.mark.slow
def test_killed_between_any_two_statements_it_goes_on(tmp_path: Path) -> None:
    last = 1
    while _killed_and_told_again(tmp_path / str(last), last=last):
        last += 1
    assert last > 40


def _killed_and_told_again(folder: Path, *, last: int) -> bool:
    """Whether the story was killed at its `last` statement; in any case it ends well the second time."""
    folder.mkdir(exist_ok=True)
    url, paid = f"sqlite:///{folder}/trainwright.db", folder / "paid"
    first, again = _tell(url, paid, last=last), _tell(url, paid, last=0)
    assert again.stdout == "done\n", again.stderr
    ledger = Ledger(url)
    calls = ledger.calls("you/lab", 12)
    ledger.close()
    assert [call.state for call in calls if call.state is not State.LOST] == [State.ANSWERED]
    assert len(calls) <= 2
    assert len(paid.read_text().split()) <= len(calls)
    return first.returncode == -signal.SIGKILL
