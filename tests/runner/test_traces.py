from __future__ import annotations

from runner.traces import Traces

PLAIN = b"""Traceback (most recent call last):
  File "/lab/train.py", line 7, in <module>
    main()
    ~~~~^^
ValueError: no"""
CHAINED = (
    PLAIN
    + b"""

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/lab/train.py", line 9, in <module>
    raise RuntimeError("worse") from error
RuntimeError: worse
    with a second line"""
)
SYNTAX = b"""  File "/lab/train.py", line 3
    x = = 1
        ^
SyntaxError: invalid syntax"""


def read(log: bytes) -> Traces:
    traces = Traces()
    for number, line in enumerate(log.split(b"\n"), 1):
        traces.take(line, number=number)
    traces.finish()
    return traces


def test_a_traceback_is_kept_whole_and_nothing_else() -> None:
    traces = read(b"step 1\n" + PLAIN + b"\nstep 2\n")
    assert traces.last is not None
    assert b"\n".join(traces.last.lines) == PLAIN
    assert (traces.last.error, traces.last.end) == (b"ValueError: no", 6)


def test_a_chain_is_one() -> None:
    traces = read(CHAINED + b"\nstep 2")
    assert traces.last is not None
    assert b"\n".join(traces.last.lines) == CHAINED
    assert traces.counts == {b"RuntimeError: worse": 1}


def test_a_syntax_error_has_no_header() -> None:
    traces = read(SYNTAX)
    assert traces.last is not None
    assert traces.last.error == b"SyntaxError: invalid syntax"


def test_equal_ones_are_counted() -> None:
    assert read((PLAIN + b"\n") * 8).counts == {b"ValueError: no": 8}


def test_the_prefix_of_a_rank_goes() -> None:
    traces = read(b"\n".join(b"[rank0]: " + line for line in PLAIN.split(b"\n")))
    assert traces.last is not None
    assert b"\n".join(traces.last.lines) == PLAIN


def test_an_endless_one_is_bounded() -> None:
    traces = read(b"Traceback (most recent call last):\n" + b"  deep\n" * 10_000 + b"RecursionError: deep")
    assert traces.last is not None
    assert len(traces.last.lines) <= 90
    assert traces.last.error == b"RecursionError: deep"
