"""The store: rows come back as they went in, transactions hold, ids are never used twice."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.local.refusals import NotFound
from bot.local.rows import Comment, Issue, Label, Token, WorkflowRun
from bot.local.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "github.sqlite3")
    yield store
    store.close()


def issue(store: Store, number: int = 1) -> Issue:
    now = store.now()
    return Issue(repo_id=1, number=number, title="T", body="", author="you", created_at=now, updated_at=now)


def test_rows_come_back_as_they_were(store: Store, tmp_path: Path) -> None:
    kept = store.add(replace(issue(store), labels=("a", "b"), is_pull=True, closed_at=store.now()))
    now = store.now()
    run = store.add(
        WorkflowRun(
            repo_id=1,
            workflow_id=2,
            path="p",
            name="n",
            display_title="d",
            run_number=1,
            head_branch="main",
            head_sha="s",
            actor="you",
            triggering_actor="you",
            inputs={"pr": "1"},
            created_at=now,
            updated_at=now,
            started_at=now,
        )
    )
    token = store.add(Token(token="t", login="you", repository_ids=(7,)))
    again = Store(tmp_path / "github.sqlite3")
    assert (again.get(Issue, number=1), again.get(WorkflowRun, id=run.id), again.get(Token)) == (kept, run, token)
    again.close()


def test_a_changed_row_replaces_the_old_one(store: Store) -> None:
    kept = store.add(issue(store))
    store.save(replace(kept, title="New"))
    assert store.get(Issue, id=kept.id).title == "New"
    with pytest.raises(NotFound):
        store.get(Issue, number=2)


def test_a_broken_transaction_leaves_nothing(store: Store) -> None:
    def broken() -> None:
        with store.transaction():
            store.add(issue(store))
            with store.transaction():
                store.add(issue(store, 2))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert store.all(Issue) == []


def test_ids_grow_over_all_kinds_and_are_not_used_again(store: Store) -> None:
    now = store.now()
    first = store.add(Label(repo_id=1, name="a"))
    second = store.add(Comment(repo_id=1, number=1, author="you", body="b", created_at=now, updated_at=now))
    store.remove(second)
    third = store.add(Label(repo_id=1, name="b"))
    assert first.id < second.id < third.id
    assert [label.name for label in store.all(Label, newest_first=True)] == ["b", "a"]
    assert store.count(Label, repo_id=1) == 2


def test_a_field_that_does_not_exist_is_an_error(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError):
        store.all(Label, nothing=1)
