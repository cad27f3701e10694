"""`python -m runner`: train, digest, probe."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner import __version__
from runner.condense import Condenser
from runner.probe import probe
from runner.redact import Redactor
from runner.sandbox import Sandbox
from runner.supervise import Order, default_hard_seconds, supervise

_CHUNK = 1024 * 1024


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.command == "train":
        return _train(arguments)
    if arguments.command == "digest":
        return _digest(arguments.log)
    for name, value in probe().items():
        print(f"{name}: {value}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    """0 when the attempt was seen to its end, whatever the training did: that is in result.json."""
    hard = arguments.hard_seconds
    supervise(
        Order(
            folder=arguments.folder,
            out=arguments.out,
            seconds=arguments.seconds,
            hard_seconds=default_hard_seconds(arguments.seconds) if hard is None else hard,
            grace=arguments.grace_seconds,
            request=arguments.request,
            level=Sandbox(arguments.sandbox),
        )
    )
    return 0


def _digest(log: Path | None) -> int:
    condenser, redactor = Condenser(), Redactor()
    with sys.stdin.buffer if log is None else log.open("rb") as file:
        while data := file.read(_CHUNK):
            condenser.feed(redactor.feed(data))
    condenser.feed(redactor.finish())
    sys.stdout.buffer.write(condenser.digest("unknown", "Only the log was looked at.").encode())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runner", description="Train one experiment and say what came of it."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    train = commands.add_parser("train", help="supervise one training; result.json says how it ended")
    train.add_argument("--folder", type=Path, required=True, help="the experiment's folder, which has train.py")
    train.add_argument(
        "--out", type=Path, required=True, help="where result.json, digest.md, metrics.jsonl and log.zst go"
    )
    train.add_argument("--seconds", type=_seconds, required=True, help="time budget, told to the harness")
    train.add_argument("--hard-seconds", type=_seconds, help="then it is ended (default: one and a half budgets + 60)")
    train.add_argument("--grace-seconds", type=_seconds, default=10.0, help="between TERM and KILL (default: 10)")
    train.add_argument("--request", default="", help="copied into the result")
    train.add_argument(
        "--sandbox", choices=list(Sandbox), default=Sandbox.NONE, help="what it may touch (default: %(default)s)"
    )

    digest = commands.add_parser("digest", help="print the digest of a log")
    digest.add_argument("log", type=Path, nargs="?", help="default: standard input")

    commands.add_parser("probe", help="print the environment: Python, torch, GPU, cores, memory")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e8:
        raise argparse.ArgumentTypeError("not a time that a training can take")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
