"""The web server, asked the way GitHub and others ask it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from bot import app, events

SECRET = "It's a Secret to Everybody"
PAYLOAD: dict[str, Any] = {"action": "labeled", "issue": {"number": 12}, "repository": {"full_name": "you/lab"}}
BODY = json.dumps(PAYLOAD).encode()


class Bot:
    """What stands behind the server: it keeps what it was told."""

    def __init__(self) -> None:
        self.noticed: list[events.Event] = []
        self.health = app.Health(healthy=True, queue_depth=3, seconds_since_sweep=12.5)
        self.client = TestClient(app.create_app(secret=SECRET, notice=self.noticed.append, health=lambda: self.health))

    def deliver(self, body: bytes = BODY, *, kind: str = "issues", **headers: str) -> int:
        all_headers = {
            "X-GitHub-Event": kind,
            "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "X-Hub-Signature-256": events.sign(SECRET, body),
            "Content-Type": "application/json",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in all_headers.items() if value}
        return self.client.post("/webhook", content=body, headers=kept).status_code

    def metrics(self) -> list[str]:
        return self.client.get("/metrics").text.splitlines()


@pytest.fixture
def bot() -> Iterator[Bot]:
    bot = Bot()
    with bot.client:
        yield bot


def test_a_delivery_is_noticed(bot: Bot) -> None:
    assert bot.deliver() == 202
    assert [(event.lab, event.experiment) for event in bot.noticed] == [("you/lab", 12)]


def test_the_same_delivery_again_is_fine(bot: Bot) -> None:
    assert [bot.deliver(), bot.deliver()] == [202, 202]
    assert len(bot.noticed) == 2


def test_a_ping_is_answered(bot: Bot) -> None:
    assert bot.deliver(b'{"zen": "Design for failure."}', kind="ping") == 200
    assert bot.noticed == []


def test_json_may_come_with_a_charset(bot: Bot) -> None:
    assert bot.deliver(Content_Type="Application/JSON; charset=utf-8") == 202


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (BODY, {"X_Hub_Signature_256": ""}, 401),
        (BODY, {"X_Hub_Signature_256": "sha256=" + "0" * 64}, 401),
        (BODY, {"X_Hub_Signature_256": events.sign(SECRET, b"another body")}, 401),
        (b"not even JSON", {"X_Hub_Signature_256": "sha1=0", "Content_Type": ""}, 401),
        (BODY, {"Content_Type": ""}, 415),
        (BODY, {"Content_Type": "application/x-www-form-urlencoded"}, 415),
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (BODY, {"X_GitHub_Event": ""}, 400),
        (BODY, {"X_GitHub_Delivery": ""}, 400),
    ],
)
def test_a_delivery_that_is_not_right_is_refused(bot: Bot, body: bytes, headers: dict[str, str], status: int) -> None:
    assert bot.deliver(body, **headers) == status
    assert bot.noticed == []


def test_a_body_beyond_github_s_cap_is_refused_and_one_at_it_is_not(bot: Bot) -> None:
    assert bot.deliver(b" " * (app.MAX_BODY + 1)) == 413
    assert bot.deliver(BODY.ljust(app.MAX_BODY)) == 202


def test_health(bot: Bot) -> None:
    answer = bot.client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"healthy": True, "queue_depth": 3, "seconds_since_sweep": 12.5}
    bot.health = app.Health(healthy=False, queue_depth=3, seconds_since_sweep=None)
    assert bot.client.get("/health").status_code == 503


def test_metrics(bot: Bot) -> None:
    bot.deliver()
    bot.deliver()
    bot.deliver(kind='issues",outcome="accepted"} 99\n#', X_Hub_Signature_256="sha256=0")
    assert bot.metrics() == [
        "# TYPE trainwright_deliveries_total counter",
        'trainwright_deliveries_total{kind="",outcome="not signed"} 1',
        'trainwright_deliveries_total{kind="issues",outcome="accepted"} 2',
        "# TYPE trainwright_healthy gauge",
        "trainwright_healthy 1",
        "# TYPE trainwright_queue_depth gauge",
        "trainwright_queue_depth 3",
        "# TYPE trainwright_seconds_since_sweep gauge",
        "trainwright_seconds_since_sweep 12.500",
    ]
    bot.health = app.Health(healthy=True, queue_depth=0, seconds_since_sweep=None)
    assert not any("sweep" in line for line in bot.metrics())


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/openapi.json", "/webhook", "/health/x"])
def test_there_is_nothing_else(bot: Bot, path: str) -> None:
    assert bot.client.get(path).status_code in (404, 405)
