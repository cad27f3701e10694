from __future__ import annotations

import pytest

from runner.cause import Cause, Ending, find_cause
from runner.result import Failure, Status
from runner.traces import Traces


def cause(log: str, ending: Ending) -> Cause:
    traces = Traces()
    lines = log.encode().split(b"\n")
    for number, line in enumerate(lines, 1):
        traces.take(line, number=number)
    traces.finish()
    return find_cause(ending, trace=traces.last, lines=len(lines), last_line=lines[-1])


TRACEBACK = """Traceback (most recent call last):
  File "/lab/train.py", line 7, in <module>
    main()
  File "/lab/train.py", line 3, in main
    torch.zeros(n)
  File "/usr/lib/torch/functional.py", line 99, in zeros
    raise {error}
{error}"""


def test_the_error_is_placed_at_its_last_frame_in_train_py() -> None:
    found = cause("step 1\n" + TRACEBACK.format(error="ValueError: no"), Ending(1, 2.0))
    assert found.status is Status.FAILED
    assert found.error == Failure("ValueError", "no", "train.py", 3)
    assert found.reason == "train.py raised ValueError in train.py, line 3: no"


def test_a_syntax_error_has_its_line() -> None:
    log = '  File "/lab/train.py", line 12\n    x = = 1\n        ^\nSyntaxError: invalid syntax'
    assert cause(log, Ending(1, 0.1)).error == Failure("SyntaxError", "invalid syntax", "train.py", 12)


def test_more_lines_of_the_message_are_kept() -> None:
    log = TRACEBACK.format(error="RuntimeError: Error(s) in loading:\n\tMissing key: a")
    error = cause(log, Ending(1, 2.0)).error
    assert error is not None
    assert error.message == "Error(s) in loading:\n\tMissing key: a"


def test_a_traceback_long_before_the_end_was_caught() -> None:
    log = TRACEBACK.format(error="ValueError: no") + "\nstep" * 500 + "\nnot enough data"
    found = cause(log, Ending(3, 2.0))
    assert found.error is None
    assert found.reason.endswith("ended with exit code 3 after 2 s without a traceback. Its last line: not enough data")


@pytest.mark.parametrize(
    ("log", "ending", "status"),
    [
        ("", Ending(0, 1.0), Status.OK),
        (TRACEBACK.format(error="ValueError: caught"), Ending(0, 1.0), Status.OK),
        ("", Ending(1, 1.0), Status.FAILED),
        ("", Ending(-11, 1.0), Status.FAILED),
        ("", Ending(-9, 1.0), Status.OUT_OF_MEMORY),
        ("", Ending(137, 1.0), Status.OUT_OF_MEMORY),
        (
            TRACEBACK.format(error="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"),
            Ending(1, 1.0),
            Status.OUT_OF_MEMORY,
        ),
        (TRACEBACK.format(error="MemoryError"), Ending(1, 1.0), Status.OUT_OF_MEMORY),
        (TRACEBACK.format(error="runner.harness.Diverged: lost"), Ending(1, 1.0, diverged=30), Status.DIVERGED),
        ("", Ending(0, 1.0, diverged=30), Status.OK),
        ("", Ending(-9, 1.0, overtime=1.0), Status.TIMEOUT),
        ("", Ending(0, 1.0, overtime=1.0), Status.TIMEOUT),
        ("", Ending(-15, 1.0, cancelled=15), Status.CANCELLED),
        ("", Ending(-9, 1.0, cancelled=2, overtime=1.0), Status.CANCELLED),
    ],
)
def test_the_status(log: str, ending: Ending, status: Status) -> None:
    assert cause(log, ending).status is status


def test_a_signal_is_named() -> None:
    assert Ending(-11, 1.0).signal == "SIGSEGV"
    assert Ending(-11, 1.0).exit_code is None
    assert "died of SIGSEGV" in cause("", Ending(-11, 1.0)).reason
