"""What the apps are told: which events, signed how, and what becomes of them on the way."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from githubkit_schemas.v2026_03_10.webhooks import WebhookNamespace

from bot.events import sign
from bot.local.rows import App, Delivery
from bot.local.store import Store
from bot.local.webhooks import Courier, is_loopback
from tests.local.conftest import SECRET, Receiver, World


def names(world: World, act: object) -> list[str]:
    assert callable(act)
    return [hook.name for hook in world.hooks_of(act)]


def test_an_issue_with_labels_is_opened_and_labeled_and_every_delivery_is_signed(world: World) -> None:
    hooks = world.hooks_of(lambda: world.you.open_issue("An idea", labels=("experiment", "small")))
    assert [hook.name for hook in hooks] == ["issues.opened", "issues.labeled", "issues.labeled"]
    assert [hook.payload["label"]["name"] for hook in hooks[1:]] == ["experiment", "small"]
    assert all(hook.signature == sign(SECRET, hook.body) for hook in hooks)
    assert all(hook.agent.startswith("GitHub-Hookshot/") for hook in hooks)
    assert len({hook.guid for hook in hooks}) == 3
    assert {hook.payload["sender"]["login"] for hook in hooks} == {"you"}
    assert all(hook.payload["installation"]["id"] for hook in hooks)


def test_each_change_of_an_issue_is_told(world: World) -> None:
    number = world.you.open_issue("Changing")["number"]
    comment = world.you.comment(number, "First")
    assert names(world, lambda: world.you.edit_issue(number, title="Changed")) == ["issues.edited"]
    assert names(world, lambda: world.you.edit_issue(number, title="Changed")) == []
    assert names(world, lambda: world.you.label(number, "experiment")) == ["issues.labeled"]
    assert names(world, lambda: world.you.unlabel(number, "experiment")) == ["issues.unlabeled"]
    assert names(world, lambda: world.you.comment(number, "Second")) == ["issue_comment.created"]
    assert names(world, lambda: world.you.edit_comment(comment["id"], "1st")) == ["issue_comment.edited"]
    assert names(world, lambda: world.you.delete_comment(comment["id"])) == ["issue_comment.deleted"]
    assert names(world, lambda: world.you.close_issue(number)) == ["issues.closed"]
    assert names(world, lambda: world.you.reopen_issue(number)) == ["issues.reopened"]


def test_each_change_of_a_pull_request_is_told(world: World) -> None:
    world.branch("told", {"told.txt": "1"})
    assert names(world, lambda: world.you.open_pull("Told", head="told")) == ["pull_request.opened"]
    [pull] = [one for one in world.you.pulls() if one["title"] == "Told"]
    number = pull["number"]
    pushed = names(world, lambda: world.you.edit_file("told.txt", "2", branch="told"))
    assert pushed == ["push", "pull_request.synchronize"]
    assert names(world, lambda: world.you.edit_pull(number, body="New")) == ["pull_request.edited"]
    assert names(world, lambda: world.you.close_pull(number)) == ["pull_request.closed"]
    assert names(world, lambda: world.you.reopen_pull(number)) == ["pull_request.reopened"]
    # `opened` was by you, so another has to review.
    with world.local.person("reviewer", "you/lab") as reviewer:
        reviewed = names(world, lambda: reviewer.review(number, "APPROVE"))
    assert reviewed == ["pull_request_review.submitted"]
    merged = world.hooks_of(lambda: world.you.merge(number))
    assert [hook.name for hook in merged] == ["pull_request.closed", "push", "push"]
    assert merged[0].payload["pull_request"]["merged"] is True
    assert [hook.payload["deleted"] for hook in merged[1:]] == [False, True]


def test_a_check_run_is_told(world: World) -> None:
    head = world.you.ref("heads/main")
    assert head
    made = names(world, lambda: world.lab.create_check_run("told", head, status="in_progress"))
    assert made == ["check_run.created"]
    check = world.lab.get_commit(head).get_check_runs(check_name="told")[0]
    assert names(world, lambda: check.edit(conclusion="failure")) == ["check_run.completed"]


def test_all_of_them_are_githubs_by_githubs_own_schema(world: World) -> None:
    """The last test of the file: what the others brought about, and a training."""
    world.you.dispatch("train.yml", pr="1", request="r")
    while world.you.runs()[0]["status"] != "completed":
        threading.Event().wait(0.05)
    assert world.local.courier.wait_until_idle()
    seen = {hook.name: hook for hook in world.receiver.hooks}
    for hook in seen.values():
        WebhookNamespace.parse(hook.event, hook.body)
    assert seen.keys() >= {"ping", "push", "issues.opened", "pull_request.closed", "issue_comment.deleted"}
    assert seen.keys() >= {"workflow_run.requested", "workflow_run.in_progress", "workflow_run.completed"}


# The courier by itself


@pytest.fixture
def store(tmp_path: Path, receiver: Receiver) -> Iterator[Store]:
    store = Store(tmp_path / "github.sqlite3")
    now = store.now()
    store.add(
        App(
            slug="app",
            client_id="c",
            owner="you",
            public_key="",
            webhook_url=receiver.url,
            webhook_secret=SECRET,
            created_at=now,
        )
    )
    receiver.hooks.clear()
    yield store
    store.close()


def delivery(store: Store, guid: str) -> Delivery:
    [app] = store.all(App)
    return Delivery(guid=guid, app_id=app.id, event="ping", action="", payload="{}", created_at=store.now())


def test_deliveries_come_twice_late_or_never_as_planned(store: Store, receiver: Receiver) -> None:
    held: list[Delivery] = []

    def plan(one: Delivery) -> list[Delivery]:
        if one.guid == "twice":
            return [one, one]
        if one.guid == "late":
            held.append(one)
            return []
        return [one]

    courier = Courier(store, plan=plan)
    for guid in ("late", "twice", "plain"):
        courier.post(delivery(store, guid))
    courier.start()
    assert courier.wait_until_idle()
    courier.send(held[0])
    courier.stop()
    assert [hook.guid for hook in receiver.hooks] == ["twice", "twice", "plain", "late"]
    assert [(one.guid, one.attempts, one.status_code) for one in store.all(Delivery)] == [
        ("late", 1, 202),
        ("twice", 2, 202),
        ("plain", 1, 202),
    ]


def test_what_was_not_sent_before_a_stop_goes_out_after_the_next_start(store: Store, receiver: Receiver) -> None:
    stopped = Courier(store)
    stopped.post(delivery(store, "before"))
    stopped.stop()
    courier = Courier(store)
    courier.start()
    assert courier.wait_until_idle()
    courier.stop()
    assert [hook.guid for hook in receiver.hooks] == ["before"]


def test_a_webhook_elsewhere_gets_nothing(store: Store, receiver: Receiver) -> None:
    [app] = store.all(App)
    store.save(type(app)(**{**vars(app), "webhook_url": "https://example.com/"}))
    courier = Courier(store)
    sent = courier.send(courier.post(delivery(store, "abroad")))
    courier.stop()
    assert sent.status_code == 0
    assert "loopback" in sent.error


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8/x", True),
        ("http://[::1]:8/", True),
        ("http://localhost/", True),
        ("http://127.0.0.1.example.com/", False),
        ("http://10.0.0.1/", False),
        ("file:///etc", False),
    ],
)
def test_loopback(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected
