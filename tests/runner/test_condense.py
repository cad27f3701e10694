from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.condense import Condenser
from runner.digest import MAX_DIGEST

TRACEBACK = """Traceback (most recent call last):
  File "/lab/train.py", line 7, in <module>
    main()
ValueError: bad shape (3, 4)
"""
LONG = b"<long>"  # stands for many bytes, which would fill hypothesis's own reports
PIECES = st.sampled_from(
    [
        b"\n",
        b"\r",
        b"\r\n",
        b"step 1 | loss 2.5\n",
        b"step 12 loss=nan\r",
        b"50%|\xe2\x96\x88\xe2\x96\x88   | 5/10 [00:01<00:01, 5it/s, loss=2.1]",
        b"\x1b[31mTraceback (most recent call last):\x1b[0m\n",
        b'  File "train.py", line 3, in f\n',
        b"ValueError: no\n",
        b"UserWarning: slow\n",
        b"```\n# not a title\n",
        b"\x1b]0;title\x07",
        b"\x00\xff\xfe",
        LONG,
    ]
)


def condense(log: str | bytes, *, size: int = 1 << 16) -> str:
    data = log.encode() if isinstance(log, str) else log
    condenser = Condenser()
    for at in range(0, len(data), size):
        condenser.feed(data[at : at + size])
    return condenser.digest("ok", "It ended.")


def joined(pieces: list[bytes]) -> bytes:
    return b"".join(pieces).replace(LONG, b"x" * 20_000)


def row(digest: str, name: str) -> list[str]:
    line = next(line for line in digest.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    "form",
    [
        "step {step} | loss {loss:.4f} | lr 0.001",
        "step={step} loss={loss:.4f} lr=1e-3",
        "iter {step}: loss {loss:.4f}, time 12.31ms, mfu 3.20%",
        "{{'loss': {loss:.4f}, 'lr': 0.001, 'step': {step}}}",
        '{{"step": {step}, "loss": {loss:.4f}}}',
        "2026-11-23 06:28:13,123 INFO epoch 3 step: {step} loss: {loss:.4f}",
        "\x1b[32mstep {step}\x1b[0m loss: \x1b[1m{loss:.4f}\x1b[0m",
    ],
)
def test_the_course_of_a_metric_is_kept_whatever_prints_it(form: str) -> None:
    log = "".join(form.format(step=step, loss=4 - 3 * step / 1000) + "\n" for step in range(1001))
    cells = row(condense(log), "loss")
    assert cells[1] == "4 @ 0"
    assert cells[5:8] == ["1 @ 1000", "1 @ 1000", "4 @ 0"]
    assert [float(cell) for cell in cells[2:5]] == pytest.approx([3.25, 2.5, 1.75], abs=0.05)
    assert cells[8] == "1001"


def test_a_metric_said_once_ten_thousand_lines_before_the_end_is_kept() -> None:
    noise = "".join(f"fetched shard {n}\n" for n in range(10_000))
    digest = condense("step 5 | loss 3.0\n" + noise + "val_bpb: 2.3456\n" + noise)
    assert row(digest, "val_bpb")[1] == "2.3456 @ 5"
    assert "fetched shard 9999" in digest
    assert "20,000 × fetched shard" in digest


def test_numbers_that_are_none_show() -> None:
    assert "2 of them not finite" in condense("loss: 2.0\nloss: nan\nloss: inf\n")


def test_a_progress_bar_leaves_its_last_state_and_its_metrics() -> None:
    bars = "".join(f"\rEpoch 1: {n}%|{'█' * (n // 10)}| {n}/100 [00:05, loss={n / 10:.1f}]" for n in range(101))
    digest = condense("start\n" + bars + "\nend\n")
    assert digest.count("Epoch 1:") == 1
    assert "100/100" in digest
    assert row(digest, "loss")[1:6:4] == ["0 @ 1", "10 @ 1"]


def test_windows_lines_are_lines() -> None:
    assert "3 lines" in condense("a\r\nb\r\nc\r\n")


def test_the_traceback_stands_first_once_and_whole() -> None:
    digest = condense("step 1 | loss 2\n" * 500 + TRACEBACK)
    assert TRACEBACK in digest
    assert digest.count("ValueError: bad shape") == 1
    assert digest.index("## Error") < digest.index("## Metrics")


def test_a_traceback_in_the_middle_is_kept() -> None:
    assert TRACEBACK in condense("working on it\n" * 5000 + TRACEBACK + "working on it\n" * 5000)


def test_a_warning_is_said_once_with_its_count() -> None:
    digest = condense("".join(f"step {n} loss 1.0\nUserWarning: slow path taken {n} times\n" for n in range(1000)))
    warnings = digest[digest.index("## Warnings") :]
    assert "1,000 × UserWarning: slow path" in warnings[:200]


def test_an_error_without_traceback_is_shown() -> None:
    digest = condense("ok then\n" * 300 + "Segmentation fault (core dumped)\n" + "ok then\n" * 300)
    assert "1 × Segmentation fault" in digest


def test_head_and_tail_are_kept() -> None:
    words = ["".join(random.Random(n).choices("abcdfghijklmnop", k=12)) for n in range(500)]
    digest = condense("\n".join(words))
    assert words[0] in digest
    assert words[-1] in digest


def test_a_long_line_is_cut() -> None:
    digest = condense("weights: " + "0.123, " * 100_000 + "the end\n")
    assert len(digest) < 2000
    assert "weights: 0.123" in digest


def test_colours_and_control_bytes_are_dropped() -> None:
    digest = condense("\x1b[1;31mred\x1b[0m \x1b]0;title\x07text\x08\x00\n")
    assert "red text" in digest
    assert not any(char < " " and char != "\n" for char in digest)


def test_the_log_cannot_leave_its_fence() -> None:
    digest = condense("```\n# heading\n@someone fixes #1\n")
    assert digest.count("```") % 2 == 0
    assert "\n'''\n# heading" in digest


def test_status_and_reason_open_the_page_and_are_redacted() -> None:
    token = "ghp_" + "a1B2" * 9
    digest = Condenser().digest("failed", f"it said {token}")
    assert digest.startswith("# Digest\n\nStatus: **failed**. it said [redacted ghp]")


@settings(deadline=None, max_examples=60)
@given(st.lists(PIECES | st.binary(max_size=50)))
def test_any_bytes_give_a_page(pieces: list[bytes]) -> None:
    assert len(condense(joined(pieces))) <= MAX_DIGEST


@settings(deadline=None, max_examples=60)
@given(st.lists(PIECES | st.binary(max_size=20), max_size=30), st.integers(1, 40), st.integers(1, 10_000))
def test_chunks_make_no_difference(pieces: list[bytes], small: int, large: int) -> None:
    data = joined(pieces)
    whole = condense(data, size=len(data) + 1)
    assert condense(data, size=large) == whole
    assert condense(data, size=max(small, len(data) // 200)) == whole


def test_asking_twice_gives_the_same() -> None:
    condenser = Condenser()
    condenser.feed(b"step 1 | loss 2.0\nunfinished")
    assert condenser.digest("ok", "x") == condenser.digest("ok", "x")


def test_a_page_that_is_full_stays_within_its_limit() -> None:
    source = random.Random(3)
    lines = []
    for n in range(3000):
        word = "".join(source.choices("abcdfghijklmnop", k=60))
        lines.append(f"{word} {word}: {n} Warning Error {word} {word}")
    assert len(condense("\n".join(lines) + TRACEBACK * 20)) <= MAX_DIGEST


def test_memory_is_flat() -> None:
    source = random.Random(4)
    condenser = Condenser()
    tracemalloc.start()
    for _ in range(6):
        condenser.feed(source.randbytes(100_000))
        condenser.feed(b"x" * 100_000)
        condenser.feed(b"".join(b"step %d loss %.3f\n" % (n, n / 7) for n in range(2000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 * 1024 * 1024
