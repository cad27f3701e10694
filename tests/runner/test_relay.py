from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.relay import Relay
from runner.result import Divergence, Final, Point, read_metrics


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "training.jsonl"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_lines_are_handed_on_as_they_come(source: Path, target: Path) -> None:
    relay = Relay(source, target=target)
    relay.look()
    source.write_text('{"step": 1, "seconds": 1, "loss": 3}\n{"step": 2, "sec')
    relay.look()
    assert relay.last == Point(1, 1.0, {"loss": 3.0})
    with source.open("a") as file:
        file.write(
            'onds": 2, "loss": 2, "note": "not a number"}\ngarbage\n{"final": true, "step": 2, "seconds": 3, "v": 1}\n'
        )
    relay.finish()
    assert relay.final == Final(2, 3.0, {"v": 1.0})
    assert read_metrics(target.read_text()) == (Point(1, 1.0, {"loss": 3.0}), Point(2, 2.0, {"loss": 2.0}))
    assert "note" not in target.read_text()
    assert "garbage" not in target.read_text()


def test_a_divergence_is_seen(source: Path, target: Path) -> None:
    source.write_text('{"diverged": true, "step": 4}\n')
    relay = Relay(source, target=target)
    relay.finish()
    assert relay.diverged == Divergence(4)


def test_a_script_that_starts_again_starts_again(source: Path, target: Path) -> None:
    relay = Relay(source, target=target)
    source.write_text('{"step": 1, "seconds": 1, "loss": 3}\n{"final": true, "step": 1, "seconds": 1, "v": 9}\n')
    relay.look()
    source.write_text('{"step": 5, "seconds": 1, "loss": 3}\n')
    relay.finish()
    assert relay.last == Point(5, 1.0, {"loss": 3.0})
    assert relay.final is None


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_read(source: Path, target: Path, tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other"
    other.write_text('{"step": 1, "seconds": 1, "loss": 3}\n')
    if kind == "link":
        source.symlink_to(other)
    elif kind == "pipe":
        os.mkfifo(source)
    else:
        source.mkdir()
    relay = Relay(source, target=target)
    relay.finish()
    assert relay.last is None
    assert target.read_text() == ""


def test_the_file_has_a_limit_and_the_final_line_finds_room(source: Path, target: Path) -> None:
    line = '{"step": 1, "seconds": 1, ' + ", ".join(f'"m{n:040}": 1e-300' for n in range(100)) + "}\n"
    with source.open("w") as file:
        file.write(line * 100)
        file.write('{"final": true, "step": 2, "seconds": 3, "v": 1}\n')
    relay = Relay(source, target=target, limit=300_000)
    relay.finish()
    assert relay.final == Final(2, 3.0, {"v": 1.0})
    assert 250_000 < target.stat().st_size <= 300_000
    assert '"final": true' in target.read_text()
