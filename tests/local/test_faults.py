"""As hard as GitHub: each switch is turned, and felt over HTTP."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
from github import GithubException, RateLimitExceededException, UnknownObjectException
from githubkit_schemas.v2026_03_10.webhooks import WebhookNamespace

from bot.local.faults import Answer, Call, Cut, Faults
from bot.local.past import Past
from bot.local.postbag import Postbag
from bot.local.refusals import Invalid
from bot.local.rest_graphql import EDITOR
from bot.local.rows import Delivery, Setting
from bot.local.store import Store
from tests.local.conftest import LAB, Receiver, World, end_world, make_world

HERE = f"/repos/{LAB}"


class Bot:
    """The app at its plainest: a token, and what comes back."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.renew()
        self._client = httpx2.Client(base_url=world.local.api_url, timeout=30, trust_env=False)

    def renew(self) -> None:
        [installation] = self.world.integration.get_installations()
        self.token = self.world.integration.get_access_token(installation.id).token

    def ask(self, method: str, path: str, **body: object) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self._client.request(method, f"{HERE}{path}", json=body or None, headers=headers)

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def faults(world: World) -> Iterator[Faults]:
    """All off, and off again afterwards."""
    faults = world.local.faults
    before = {name: getattr(faults, name) for name in Faults.__slots__ if not name.startswith("_")}
    faults.calls.clear()
    yield faults
    for name, value in before.items():
        setattr(faults, name, value)


@pytest.fixture
def bot(world: World, faults: Faults) -> Iterator[Bot]:
    bot = Bot(world)
    yield bot
    bot.close()


# Hooks


def test_a_hook_is_told_of_an_apps_calls_and_not_of_a_persons(world: World, faults: Faults, bot: Bot) -> None:
    seen: list[Call] = []
    faults.before = seen.append
    faults.after = seen.append
    world.you.issues()
    bot.ask("GET", "/issues?state=all")
    before, after = seen
    assert (before.method, before.path, before.app) == ("GET", f"{HERE}/issues?state=all", "trainwright")
    assert (before.status, after.status, after.number) == (0, 200, before.number)
    world.integration.get_app()
    assert [(call.path, call.number) for call in seen[2:]] == [("/app", before.number + 1)] * 2


def test_a_hook_runs_before_and_after_the_effect(world: World, faults: Faults, bot: Bot) -> None:
    number = world.you.open_issue("Hooked")["number"]
    counts: list[int] = []

    def count(call: Call) -> None:
        counts.append(len(world.you.comments(number)))

    faults.before = faults.after = count
    bot.ask("POST", f"/issues/{number}/comments", body="Here")
    assert counts == [0, 1]


def test_a_person_is_faster_than_the_bots_write(world: World, faults: Faults, bot: Bot) -> None:
    head = world.branch("raced", {"raced.txt": "1"})
    mine = world.commit(head, {"raced.txt": "2"})

    def overtake(call: Call) -> None:
        world.you.edit_file("raced.txt", "3", branch="raced")

    faults.before = overtake
    answer = bot.ask("PATCH", "/git/refs/heads/raced", sha=mine)
    assert (answer.status_code, answer.json()["message"]) == (422, "Update is not a fast forward")


def test_hooks_wait_without_holding_anybody_up(world: World, faults: Faults, bot: Bot) -> None:
    """More of them than the server has threads."""
    together, reached = 60, threading.Semaphore(0)
    gate = threading.Event()

    def wait(call: Call) -> None:
        reached.release()
        assert gate.wait(30)

    faults.before = wait
    threads = [threading.Thread(target=bot.ask, args=("GET", "")) for _ in range(together)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert reached.acquire(timeout=30)
    assert world.you.issues() is not None
    gate.set()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def raising(error: Exception) -> Callable[[Call], None]:
    def hook(call: Call) -> None:
        raise error

    return hook


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_hook_cuts_the_line(world: World, faults: Faults, bot: Bot, side: str) -> None:
    number = world.you.open_issue("Cut")["number"]
    setattr(faults, side, raising(Cut()))
    faults.record = True
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
        bot.ask("POST", f"/issues/{number}/comments", body="Did it arrive?")
    assert len(world.you.comments(number)) == (1 if side == "after" else 0)
    [call] = faults.calls
    assert (call.method, call.status) == ("POST", 0)


def test_a_cut_line_says_not_a_byte(world: World, faults: Faults, bot: Bot) -> None:
    faults.after = raising(Cut())
    headers = {"Authorization": f"Bearer {bot.token}"}
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.ConnectionError, match="without response"):
            session.get(f"{world.local.api_url}{HERE}", headers=headers)
    with socket.create_connection(("127.0.0.1", world.local.port), timeout=10) as line:
        line.sendall(f"GET /api/v3{HERE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bot.token}\r\n\r\n".encode())
        assert line.recv(1000) == b""


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_hook_answers_instead(world: World, faults: Faults, bot: Bot, side: str) -> None:
    number = world.you.open_issue("Answered")["number"]
    faults.record = True
    setattr(faults, side, raising(Answer(503, {"message": "Busy"}, {"Retry-After": "3"})))
    answer = bot.ask("POST", f"/issues/{number}/comments", body="Did it arrive?")
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (503, {"message": "Busy"}, "3")
    assert len(world.you.comments(number)) == (1 if side == "after" else 0)
    assert [call.status for call in faults.calls] == [503]


def test_a_mistake_in_a_hook_is_answered_500(world: World, faults: Faults, bot: Bot) -> None:
    faults.record = True
    faults.before = raising(AssertionError("a test's own"))
    assert bot.ask("GET", "").status_code == 500
    assert [call.status for call in faults.calls] == [500]


def test_calls_are_recorded_with_what_they_were_answered(world: World, faults: Faults, bot: Bot) -> None:
    bot.ask("GET", "")
    faults.record = True
    bot.ask("GET", "/issues/999999")
    bot.ask("POST", "/issues", title="Recorded")
    assert [(call.method, call.path.removeprefix(HERE), call.status) for call in faults.calls] == [
        ("GET", "/issues/999999", 404),
        ("POST", "/issues", 201),
    ]
    faults.record = False
    bot.ask("GET", "")
    assert len(faults.calls) == 2


# Chance


def test_the_same_seed_has_the_same_fate_and_one_switch_does_not_move_another() -> None:
    def fates(faults: Faults) -> list[str]:
        found = []
        for _ in range(60):
            try:
                faults.strike_before(faults.call("GET", "/", "app"))
                found.append("")
            except Cut:
                found.append("cut")
            except Answer as answer:
                found.append(str(answer.status))
        return found

    alone = fates(Faults(seed=3, cut_before=0.3))
    assert alone == fates(Faults(seed=3, cut_before=0.3))
    assert alone != fates(Faults(seed=4, cut_before=0.3))
    mixed = fates(Faults(seed=3, cut_before=0.3, limited=0.3))
    assert {"cut", "403", "429", ""} == set(mixed)
    assert [fate for fate, before in zip(mixed, alone, strict=True) if fate in ("cut", "") and fate != before] == []


def test_a_mixture_is_printed_as_it_can_be_made_again() -> None:
    faults = Faults(seed=7, lag=2.0, late=0.1, token_life=30, record=True)
    assert repr(faults) == "Faults(seed=7, lag=2.0, token_life=30, late=0.1)"
    assert repr(Faults()) == "Faults(seed=0)"
    with pytest.raises(AttributeError):
        faults.laag = 1.0  # type: ignore[attr-defined]


# Calls that fail


def test_a_secondary_rate_limit_refuses_with_or_without_an_hour(world: World, faults: Faults, bot: Bot) -> None:
    faults.limited = 1.0
    answers = [bot.ask("POST", "/issues", title="Limited") for _ in range(24)]
    assert {(answer.status_code, answer.headers.get("retry-after")) for answer in answers} == {
        (403, None),
        (403, "1"),
        (429, None),
        (429, "1"),
    }
    assert all("exceeded a secondary rate limit" in answer.json()["message"] for answer in answers)
    raised: dict[int, type[GithubException]] = {}
    while set(raised) != {403, 429}:
        with pytest.raises(GithubException) as refused:
            world.integration.get_app()
        raised[refused.value.status] = refused.type
    assert raised == {403: RateLimitExceededException, 429: GithubException}
    assert "Limited" not in [issue["title"] for issue in world.you.issues()]


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_breakdown_comes_with_nothing_or_with_everything_done(
    world: World, faults: Faults, bot: Bot, side: str
) -> None:
    number = world.you.open_issue("Broken")["number"]
    setattr(faults, f"broken_{side}", 1.0)
    answers = [bot.ask("POST", f"/issues/{number}/comments", body="x") for _ in range(12)]
    assert {answer.status_code for answer in answers} == {500, 502}
    assert all(answer.text.startswith("<html>") for answer in answers if answer.status_code == 502)
    assert all(answer.json()["message"] == "Server Error" for answer in answers if answer.status_code == 500)
    assert len(world.you.comments(number)) == (12 if side == "after" else 0)


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_cut_comes_with_nothing_or_with_everything_done(world: World, faults: Faults, bot: Bot, side: str) -> None:
    number = world.you.open_issue("Cut off")["number"]
    setattr(faults, f"cut_{side}", 0.5)
    faults.record = True
    for _ in range(12):
        with suppress(httpx2.RemoteProtocolError):
            bot.ask("POST", f"/issues/{number}/comments", body="x")
    came = sum(call.status == 201 for call in faults.calls)
    cut = sum(call.status == 0 for call in faults.calls)
    assert (came + cut, came > 0, cut > 0) == (12, True, True)
    assert len(world.you.comments(number)) == (12 if side == "after" else came)


# Lists that lag


def test_what_a_bot_lists_lags_and_what_it_asks_for_by_name_does_not(world: World, faults: Faults, bot: Bot) -> None:
    old = world.you.open_issue("Old", labels=("lagging",))["number"]
    comment = world.you.comment(old, "First")["id"]
    head = world.branch("lag-old", {"lag.txt": "1"})
    pull = world.you.open_pull("Lag", head="lag-old")["number"]
    faults.lag = 600.0
    new = world.you.open_issue("New", labels=("lagging",))["number"]
    world.you.edit_issue(old, title="Renamed")
    world.you.edit_comment(comment, "Edited")
    world.you.comment(old, "Second")
    world.you.comment(new, "On the new one")
    world.branch("lag-new", {"lag.txt": "2"})
    bot.ask("POST", f"/issues/{old}/reactions", content="eyes")
    bot.ask("POST", "/check-runs", name="lagging", head_sha=head, status="queued")
    bot.ask("POST", f"/pulls/{pull}/reviews", body="Look", event="COMMENT")
    world.you.close_pull(pull)

    def listed(path: str, name: str, inside: str = "") -> list[object]:
        found = bot.ask("GET", path).json()
        return [one[name] for one in (found[inside] if inside else found)]

    assert listed("/issues?labels=lagging", "title") == ["Old"]
    assert listed(f"/issues/{old}/comments", "body") == ["First"]
    assert listed(f"/issues/{new}/comments", "body") == []
    assert listed("/issues/comments?sort=updated&direction=desc", "body")[0] == "First"
    assert listed(f"/issues/{old}/timeline", "event") == ["labeled", "commented"]
    assert listed(f"/issues/{old}/reactions", "content") == []
    assert listed(f"/pulls/{pull}/reviews", "body") == []
    assert listed(f"/commits/{head}/check-runs", "name", "check_runs") == []
    assert pull in listed("/pulls", "number")
    assert listed("/git/matching-refs/heads/lag", "ref") == ["refs/heads/lag-old"]
    assert bot.ask("GET", f"/issues/{new}").json()["title"] == "New"
    assert bot.ask("GET", f"/issues/{old}").json()["comments"] == 2
    assert bot.ask("GET", f"/pulls/{pull}").json()["state"] == "closed"
    assert bot.ask("GET", "/git/ref/heads/lag-new").status_code == 200
    assert {issue["title"] for issue in world.you.issues(labels="lagging")} == {"New", "Renamed"}
    faults.lag = 0.0
    assert listed(f"/issues/{old}/comments", "body") == ["Edited", "Second"]
    assert listed("/git/matching-refs/heads/lag", "ref") == ["refs/heads/lag-new", "refs/heads/lag-old"]


def test_runs_and_artifacts_lag(world: World, faults: Faults, bot: Bot) -> None:
    faults.lag = 600.0
    before = bot.ask("GET", "/actions/runs").json()["total_count"]
    world.you.dispatch("train.yml", pr="1", request="lag")
    run = finished(world)
    assert bot.ask("GET", "/actions/runs").json()["total_count"] == before
    assert bot.ask("GET", "/actions/workflows/train.yml/runs").json()["total_count"] == before
    assert bot.ask("GET", f"/actions/runs/{run}").json()["status"] == "completed"
    assert bot.ask("GET", f"/actions/runs/{run}/artifacts").json() == {"total_count": 0, "artifacts": []}
    faults.lag = 0.0
    assert bot.ask("GET", f"/actions/runs/{run}/artifacts").json()["total_count"] == 1


def finished(world: World) -> int:
    while world.you.runs()[0]["status"] != "completed":
        threading.Event().wait(0.05)
    return int(world.you.runs()[0]["id"])


def test_a_lagging_list_catches_up(world: World, faults: Faults, bot: Bot) -> None:
    number = world.you.open_issue("Catching up")["number"]
    faults.lag = 0.4
    began = time.monotonic()
    world.you.comment(number, "Here")
    while not bot.ask("GET", f"/issues/{number}/comments").json():
        pass
    assert time.monotonic() - began >= 0.4


def test_a_lagging_list_is_whole_while_others_write(world: World, faults: Faults, bot: Bot) -> None:
    faults.lag = 0.1
    names = [f"whole-{number}" for number in range(6)]
    for name in names:
        world.branch(name, {f"{name}.txt": "1"})
    writer = threading.Thread(target=lambda: [world.you.open_pull(name, head=name) for name in names])
    writer.start()
    seen: set[str] = set()
    while seen < set(names):
        answer = bot.ask("GET", "/pulls?per_page=100")
        assert answer.status_code == 200, answer.text
        now = {pull["title"] for pull in answer.json()}
        assert seen <= now
        seen = now & set(names)
    writer.join()


def test_the_past_is_kept_in_steps_and_let_go(tmp_path: Path) -> None:
    clock = [100.0]
    store, faults = Store(tmp_path / "past.sqlite3"), Faults(lag=4.0)
    past = Past(store, faults, clock=lambda: clock[0])

    def now() -> int:
        with past.view() as (then, _):
            return then.count(Setting)

    def pass_by(seconds: int, *, writing: int = 0) -> None:
        for _ in range(seconds):
            clock[0] += 1
            for _ in range(writing):
                store.add(Setting(name="x", value=""))

    pass_by(10)
    assert now() == 0
    pass_by(20, writing=3)
    assert now() in (3 * 15, 3 * 16)
    assert len(past._kept) <= 6
    pass_by(3)
    assert now() < 60
    pass_by(2)
    assert now() == 60
    pass_by(1, writing=1)
    with past.view() as (held, _):
        faults.lag = 0.0
        store.add(Setting(name="x", value=""))
        assert held.count(Setting) == 60
    store.add(Setting(name="x", value=""))
    assert past._kept == []
    past.close()
    store.close()


# Values that come late or go early


def test_mergeable_is_null_until_it_is_computed(world: World, faults: Faults, bot: Bot) -> None:
    world.branch("unknown", {"unknown.txt": "1"})
    number = world.you.open_pull("Unknown", head="unknown")["number"]

    def seen() -> tuple[object, object]:
        pull = bot.ask("GET", f"/pulls/{number}").json()
        return pull["mergeable"], pull["mergeable_state"]

    faults.mergeable_after = 600.0
    assert seen() == (None, "unknown")
    assert world.you.pull(number)["mergeable"] is True
    faults.mergeable_after = 0.3
    while seen() != (True, "clean"):
        pass
    world.you.edit_file("elsewhere.txt", "The base moves")
    assert seen() == (None, "unknown")


def test_an_artifact_expires(world: World, faults: Faults, bot: Bot) -> None:
    world.you.dispatch("train.yml", pr="1", request="expiring")
    run = finished(world)
    [artifact] = bot.ask("GET", f"/actions/runs/{run}/artifacts").json()["artifacts"]
    assert artifact["expired"] is False
    faults.artifact_life = 0
    [artifact] = bot.ask("GET", f"/actions/runs/{run}/artifacts").json()["artifacts"]
    assert artifact["expired"] is True
    answer = bot.ask("GET", f"/actions/artifacts/{artifact['id']}/zip")
    assert (answer.status_code, answer.json()["message"]) == (410, "Artifact has expired")


def test_tokens_live_shortly_or_are_revoked(tmp_path: Path, receiver: Receiver) -> None:
    world = make_world(tmp_path, receiver)
    bot, faults = Bot(world), world.local.faults
    faults.revoke_tokens()
    answer = bot.ask("GET", "")
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")
    assert world.you.issues() == []
    faults.token_life = 1
    bot.renew()
    while bot.ask("GET", "").status_code == 200:
        threading.Event().wait(0.1)
    faults.token_life = None
    bot.renew()
    assert bot.ask("GET", "").status_code == 200
    bot.close()
    end_world(world)


# Deliveries


def test_without_faults_first_in_is_first_out() -> None:
    bag, sent = Postbag(Faults()), [delivery(number) for number in range(5)]
    assert all(bag.put(one) for one in sent)
    assert [trip.delivery for trip in bag.due()] == sent
    assert (len(bag), bag.patience()) == (0, None)


def delivery(number: int) -> Delivery:
    return Delivery(
        id=number, guid=str(number), app_id=1, event="ping", action="", payload="{}", created_at=datetime.now(UTC)
    )


def order(faults: Faults, *, every: float = 0.0) -> list[int]:
    """Which deliveries set out when ten are put in, one by one."""
    clock, found = [0.0], []
    bag = Postbag(faults, clock=lambda: clock[0])
    for number in range(10):
        bag.put(delivery(number))
        clock[0] += every
        found += [trip.delivery.id for trip in bag.due()]
    while (patience := bag.patience()) is not None:
        clock[0] += patience
        found += [trip.delivery.id for trip in bag.due()]
    return found


def test_deliveries_are_late_overtaken_twice_or_lost_by_seed() -> None:
    whole = [*range(10)]
    late = order(Faults(seed=1, late=0.5, late_by=5.0), every=1.0)
    assert late != whole
    assert sorted(late) == whole
    assert order(Faults(shuffled=1.0, late_by=5.0), every=1.0) == whole
    assert order(Faults(seed=2, shuffled=0.3, late_by=5.0), every=1.0) == [1, 0, 3, 2, 4, 5, 6, 7, 9, 8]
    assert sorted(order(Faults(twice=1.0))) == sorted(whole * 2)
    some = order(Faults(seed=1, never=0.5))
    assert set() < set(some) < set(whole)
    mixture = Faults(seed=5, late=0.3, twice=0.3, shuffled=0.3, never=0.2)
    assert order(mixture, every=0.1) == order(Faults(seed=5, late=0.3, twice=0.3, shuffled=0.3, never=0.2), every=0.1)


def test_a_lost_delivery_is_in_the_log_and_a_copy_has_its_guid(world: World, faults: Faults) -> None:
    faults.never = 1.0
    assert world.hooks_of(lambda: world.you.open_issue("Untold")) == []
    lost = world.local.store.all(Delivery)[-1]
    assert (lost.status_code, "lost on the way" in lost.error) == (0, True)
    faults.never, faults.twice = 0.0, 1.0
    twice = world.hooks_of(lambda: world.you.open_issue("Told twice"))
    assert [hook.name for hook in twice] == ["issues.opened"] * 2
    assert twice[0].guid == twice[1].guid


def test_a_late_delivery_holds_up_neither_others_nor_a_stop_and_is_not_forgotten(
    tmp_path: Path, receiver: Receiver
) -> None:
    world = make_world(tmp_path, receiver)
    assert world.local.courier.wait_until_idle()
    world.local.faults.late, world.local.faults.late_by = 1.0, 600.0
    world.you.open_issue("Very late")
    threading.Event().wait(0.1)
    world.local.faults.late = 0.0
    before = len(receiver.hooks)
    world.you.open_issue("In time")
    while len(receiver.hooks) == before:
        threading.Event().wait(0.01)
    assert receiver.hooks[-1].payload["issue"]["title"] == "In time"
    assert not world.local.courier.wait_until_idle(0.1)
    began = time.monotonic()
    end_world(world)
    assert time.monotonic() - began < 5
    before = len(receiver.hooks)
    world = make_world(tmp_path, receiver)
    assert world.local.courier.wait_until_idle()
    assert [hook.payload["issue"]["title"] for hook in receiver.hooks[before:]] == ["Very late"]
    end_world(world)


# Issues that go away


def test_a_deleted_issue_is_410_and_its_number_is_used_up(world: World, faults: Faults, bot: Bot) -> None:
    number = world.you.open_issue("Deleted")["number"]
    world.you.comment(number, "Gone with it")
    [hook] = world.hooks_of(lambda: world.local.delete_issue(LAB, number))
    WebhookNamespace.parse(hook.event, hook.body)
    assert (hook.name, hook.payload["issue"]["number"]) == ("issues.deleted", number)
    for method, path in (("GET", ""), ("GET", "/comments"), ("POST", "/comments"), ("PATCH", "")):
        answer = bot.ask(method, f"/issues/{number}{path}", body="x")
        assert (answer.status_code, answer.json()["message"]) == (410, "This issue was deleted")
    assert number not in [issue["number"] for issue in world.you.issues()]
    assert world.you.open_issue("The next")["number"] == number + 1


def test_a_transferred_issue_is_301_and_what_belongs_to_it_404(world: World, faults: Faults, bot: Bot) -> None:
    other = world.local.create_repo("you/other", files={"README.md": b"x"})
    number = world.you.open_issue("Moves", labels=("experiment",))["number"]
    world.you.comment(number, "Moves along")
    new = 0

    def transfer() -> None:
        nonlocal new
        new = world.local.transfer_issue(LAB, number, "you/other")

    [hook] = world.hooks_of(transfer)
    WebhookNamespace.parse(hook.event, hook.body)
    assert (hook.name, hook.payload["changes"]["new_issue"]["number"]) == ("issues.transferred", new)
    url = f"{world.local.api_url}/repositories/{other.id}/issues/{new}"
    assert bot.ask("GET", f"/issues/{number}").status_code == 404  # it may not see the other repository
    assert bot.ask("GET", f"/issues/{number}/comments").status_code == 404
    world.local.install(world.app.app_id, "you/other")
    answer = bot.ask("GET", f"/issues/{number}")
    assert (answer.status_code, answer.headers["location"]) == (301, url)
    assert (answer.json()["message"], answer.json()["url"]) == ("Moved Permanently", url)
    assert bot.ask("GET", f"/issues/{number}/comments").status_code == 404
    second = world.you.open_issue("Moves, too")["number"]
    hooks = world.hooks_of(lambda: world.local.transfer_issue(LAB, second, "you/other"))
    assert [hook.name for hook in hooks] == ["issues.transferred", "issues.opened"]
    assert hooks[1].payload["changes"]["old_issue"]["number"] == second
    WebhookNamespace.parse(hooks[1].event, hooks[1].body)
    followed = world.lab.get_issue(number)
    assert (followed.number, followed.repository.full_name, followed.comments) == (new, "you/other", 1)
    followed.edit(state="closed")
    with world.local.person("you", "you/other") as you:
        assert (you.issue(new)["state"], you.comments(new)[0]["body"]) == ("closed", "Moves along")
        assert [event["event"] for event in you.timeline(new)] == ["labeled", "commented", "transferred", "closed"]


def test_a_pull_request_stays(world: World) -> None:
    world.branch("stays", {"stays.txt": "1"})
    number = world.you.open_pull("Stays", head="stays")["number"]
    with pytest.raises(Invalid):
        world.local.delete_issue(LAB, number)


# GraphQL, and what people can do


def test_graphql_says_who_edited_the_body(world: World) -> None:
    def editor(number: int, name: str = "lab") -> Any:
        variables = {"owner": "you", "name": name, "number": number}
        return world.bot.requester.graphql_query(EDITOR, variables)[1]["data"]["repository"]["issue"]

    issue = world.lab.create_issue("Edited", "First")
    assert editor(issue.number) == {"lastEditedAt": None, "editor": None}
    issue.edit(title="Renamed only")
    assert editor(issue.number) == {"lastEditedAt": None, "editor": None}
    issue.edit(body="Second")
    assert editor(issue.number)["editor"] == {"login": "trainwright"}
    world.you.edit_issue(issue.number, body="Third")
    seen = editor(issue.number)
    assert seen["editor"] == {"login": "you"}
    assert datetime.fromisoformat(seen["lastEditedAt"])
    for number, name in ((999_999, "lab"), (1, "nowhere")):
        with pytest.raises(UnknownObjectException, match="Could not resolve to a"):
            editor(number, name)
    with pytest.raises(GithubException, match="one query only"):
        world.bot.requester.graphql_query("query { viewer { login } }", {})


def test_a_query_is_known_by_its_shape_however_it_is_written(world: World, faults: Faults, bot: Bot) -> None:
    number = world.you.open_issue("Shape")["number"]
    named = EDITOR.replace("query(", "query Editor (").replace("\n", " ").replace(",", " ")
    faults.record = True
    _, data = world.bot.requester.graphql_query(named, {"owner": "you", "name": "lab", "number": number})
    assert data["data"]["repository"]["issue"] == {"lastEditedAt": None, "editor": None}
    assert [(call.method, call.path) for call in faults.calls] == [("POST", "/graphql")]


def test_a_person_changes_many_files_at_once(world: World) -> None:
    head = world.branch("many", {"a.txt": "1", "b.txt": "2", "c.txt": "3"})
    made = world.you.commit("many", {"a.txt": "new", "b.txt": None, "d/e.txt": "2"}, "All at once")
    assert world.lab.get_commit(made).commit.message == "All at once"
    there = set(world.you.list_files(ref="many"))
    assert {"a.txt", "c.txt", "d/e.txt"} <= there
    assert "b.txt" not in there
    world.you.move_branch("many", to=head, force=True)
    assert world.you.ref("heads/many") == head


def test_a_long_review_is_refused(world: World) -> None:
    world.branch("long-review", {"long.txt": "1"})
    number = world.you.open_pull("Long", head="long-review")["number"]
    with pytest.raises(httpx2.HTTPStatusError, match="422"):
        world.you.review(number, "COMMENT", "x" * 65_537)


def test_a_dispatch_names_its_run(world: World, bot: Bot) -> None:
    asked = {"ref": "main", "inputs": {"pr": "1", "request": "named"}}
    answer = bot.ask("POST", "/actions/workflows/train.yml/dispatches", **asked, return_run_details=True)
    assert answer.status_code == 200
    run = world.lab.get_workflow_run(answer.json()["workflow_run_id"])
    assert (answer.json()["run_url"], answer.json()["html_url"]) == (run.url, run.html_url)
    finished(world)
