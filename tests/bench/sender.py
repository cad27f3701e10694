"""Deliveries, sent as GitHub sends a burst: over many connections at once. A process of its own runs `send`, so that
the answers are not waited for by the one that is measured, nor by the stand-in."""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from bot.events import sign

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Burst:
    """`payload` is that of an `issue_comment`, and is sent for each experiment (lab, issue) in turn."""

    host: str
    port: int
    secret: str
    payload: str
    size: int
    experiments: Sequence[tuple[str, int]]
    count: int
    connections: int


@dataclass(frozen=True)
class Answer:
    """`at` is when it came, by the machine's monotonic clock."""

    experiment: tuple[str, int]
    status: int
    seconds: float
    at: float


@dataclass(frozen=True)
class _Delivery:
    experiment: tuple[str, int]
    request: bytes


def send(burst: Burst) -> list[Answer]:
    """The answers, as they came. A connection that breaks is given up; what is left to nobody is lost."""
    deliveries = [_delivery(burst, number) for number in range(burst.count)]
    return asyncio.run(_send(burst, deliveries))


def _delivery(burst: Burst, number: int) -> _Delivery:
    lab, issue = experiment = burst.experiments[number % len(burst.experiments)]
    payload = json.loads(burst.payload)
    payload["repository"]["full_name"] = lab
    payload["issue"]["number"] = issue
    payload["issue"]["body"] = "x" * max(0, burst.size - len(burst.payload))
    body = json.dumps(payload).encode()
    lines = [
        "POST /webhook HTTP/1.1",
        f"Host: {burst.host}:{burst.port}",
        "User-Agent: GitHub-Hookshot/bench",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "X-GitHub-Event: issue_comment",
        f"X-GitHub-Delivery: {uuid4()}",
        f"X-Hub-Signature-256: {sign(burst.secret, body)}",
    ]
    return _Delivery(experiment, "\r\n".join([*lines, "", ""]).encode() + body)


async def _send(burst: Burst, deliveries: Sequence[_Delivery]) -> list[Answer]:
    left, answers = iter(deliveries), list[Answer]()
    await asyncio.gather(*(_connection(burst, left, answers) for _ in range(burst.connections)))
    return answers


async def _connection(burst: Burst, left: Iterator[_Delivery], answers: list[Answer]) -> None:
    try:
        reader, writer = await asyncio.open_connection(burst.host, burst.port)
    except OSError:
        return
    try:
        for delivery in left:
            start = time.monotonic()
            writer.write(delivery.request)
            await writer.drain()
            status = await _status(reader)
            now = time.monotonic()
            answers.append(Answer(delivery.experiment, status, now - start, now))
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split(b" ", 2)[1])
