"""The stand-in's pages, as a browser asks for them: each is there, each form has its effect through the hub."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from bot.local.access import Actor
from bot.local.hub import Hub
from bot.local.pages import router
from bot.local.pages.actions import read_steps
from bot.local.pages.changes import diff_lines
from bot.local.pages.forms import FormError, compose, missing, read_form
from bot.local.pages.words import label_hue, short_shas, span
from bot.local.rows import (
    App,
    Artifact,
    CheckRun,
    Delivery,
    Installation,
    Issue,
    Label,
    Repository,
    User,
    Workflow,
    WorkflowRun,
)
from bot.local.store import Store
from bot.local.webhooks import Courier

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
FORM = """
name: Experiment
description: An idea to try
title: "Try: "
labels: [experiment]
body:
  - {type: markdown, attributes: {value: "One issue, **one idea**."}}
  - {type: textarea, id: idea, attributes: {label: Idea, placeholder: Train …}, validations: {required: true}}
  - {type: input, id: metric, attributes: {label: Metric}}
  - {type: dropdown, id: runs, attributes: {label: Runs, options: [2 runs, 4 runs]}}
  - {type: textarea, id: constraints, attributes: {label: Constraints, render: yaml}}
  - type: checkboxes
    attributes: {label: Sure, options: [{label: I am, required: true}, {label: Keep plots}]}
"""
TRAIN = 'WIDTH = 128\n\n\ndef main() -> None:\n    """One\n    two"""\n    print(WIDTH)\n'
FOLDER = "experiments/1-bytes"
FILES = {
    "README.md": b"# The lab\n\nSee [the form](.github/ISSUE_TEMPLATE/experiment.yml).\n",
    ".github/ISSUE_TEMPLATE/experiment.yml": FORM.encode(),
    ".github/ISSUE_TEMPLATE/broken.yml": b"name: [",
    ".github/ISSUE_TEMPLATE/config.yml": b"blank_issues_enabled: true\n",
    f"{FOLDER}/train.py": TRAIN.encode(),
    f"{FOLDER}/old.png": PNG,
    "evil.html": b"<script>alert(1)</script>",
    "evil.svg": b"<svg onload='alert(1)'/>",
    "weights.bin": b"\0\1\2",
    "empty.txt": b"",
}
BRANCH = "experiment/1/run-1"


@dataclass(frozen=True)
class Site:
    hub: Hub
    repo: Repository
    bot: Actor
    browser: TestClient

    def issue(self, number: int) -> Issue:
        return self.hub.issues.get(self.repo, number)

    def webhooks(self) -> list[str]:
        """What the app was told, as event.action."""
        told = self.hub.store.all(Delivery)
        return [f"{one.event}.{one.action}" for one in told]

    def body(self, address: str, *, status: int = 200) -> str:
        answer = self.browser.get(address)
        assert answer.status_code == status, answer.text
        return answer.text

    def send(self, address: str, answers: Mapping[str, str] | None = None, *, status: int = 303, **fields: str) -> str:
        """The address that the form's answer leads to, or the page that it is."""
        answer = self.browser.post(address, data={**fields, **(answers or {})})
        assert answer.status_code == status, answer.text
        return answer.headers["location"] if status == 303 else answer.text

    def act_as(self, login: str) -> None:
        self.send("/-/user", login=login, back="/you/lab")


@contextmanager
def opened(folder: Path) -> Iterator[Site]:
    store = Store(folder / "store.sqlite3")
    courier = Courier(store)
    hub = Hub.assemble(
        folder, store=store, courier=courier, url="http://127.0.0.1:8000", runners=1, environment={"PATH": "/usr/bin"}
    )
    repo = hub.accounts.create_repo("you/lab", files=FILES)
    app = FastAPI()
    app.include_router(router(hub))
    with TestClient(app, base_url="http://127.0.0.1:8000", follow_redirects=False) as browser:
        yield Site(hub, repo, bot_of(store, repo), browser)
    hub.repos.close()
    courier.stop()
    store.close()


def bot_of(store: Store, repo: Repository) -> Actor:
    """An app without a key: here it acts through the hub, not over REST."""
    now = store.now()
    app = store.find(App) or store.add(
        App(
            slug="trainwright",
            client_id="x",
            owner="you",
            public_key="",
            webhook_url="http://127.0.0.1:9/",
            webhook_secret="s",
            created_at=now,
        )
    )
    store.find(User, login=app.login) or store.add(User(login=app.login, created_at=now, is_bot=True))
    installation = store.find(Installation) or store.add(
        Installation(app_id=app.id, account="you", repository_ids=(repo.id,), created_at=now)
    )
    return Actor(app.login, app=app, installation=installation)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeded")
    with opened(folder) as site:
        seed(site)
    return folder


@pytest.fixture(scope="module")
def still(seeded: Path) -> Iterator[Site]:
    """For tests that only read."""
    with opened(seeded) as site:
        yield site


@pytest.fixture
def site(seeded: Path, tmp_path: Path) -> Iterator[Site]:
    """A copy of one's own."""
    with opened(Path(shutil.copytree(seeded, tmp_path / "own"))) as site:
        yield site


def seed(site: Site) -> None:
    """Issue 1 is an experiment, pull request 2 its first run, issue 3 a question that mentions it."""
    hub, repo, bot, you = site.hub, site.repo, site.bot, Actor("you")
    for login, role in (("mate", "write"), ("guest", "none")):
        hub.accounts.set_permission(repo, login, role)
    hub.issues.create_label(repo, actor=you, name="experiment", color="1d76db")
    issue = hub.issues.open(repo, actor=you, title="Bytes", body="### Idea\n\nLow bpb", labels=["experiment"])
    hub.issues.react(issue, actor=bot, content="eyes")
    hub.issues.comment(repo, 1, actor=bot, body="<!-- mark -->\n**Stage** #2\n\n- [x] planned")
    sha = push_run(site)
    text = f"Run 1 of #1 ![p](../blob/{sha}/{FOLDER}/plot.png?raw=true)"
    hub.pulls.open(repo, actor=bot, title="Run 1: wider", head=BRANCH, base="main", body=text)
    assert bot.app_id
    check = CheckRun(
        repo_id=repo.id,
        app_id=bot.app_id,
        name="trainwright / result",
        head_sha=sha,
        status="completed",
        conclusion="success",
        title="improved",
        summary="**2.29**",
    )
    hub.checks.create(repo, check, actor=bot)
    hub.issues.open(repo, actor=Actor("guest"), title="A question", body="About #1 <script>alert(1)</script>")


def push_run(site: Site) -> str:
    """The branch of run 1 with one commit, whose sha is answered."""
    git = site.hub.repos.git(site.repo)
    main = git.commit("refs/heads/main")
    assert main
    changed = {
        f"{FOLDER}/train.py": ("100644", git.write_blob(TRAIN.replace("128", "192").encode())),
        f"{FOLDER}/plot.png": ("100644", git.write_blob(PNG)),
        f"{FOLDER}/old.png": ("100644", git.write_blob(PNG + b"\1")),
        "weights.bin": None,
    }
    tree = git.write_tree(changed, base=main.tree)
    author = site.hub.refs.signature(site.bot)
    sha = git.write_commit(tree=tree, parents=(main.sha,), message="run 1: wider\n\nWhy not.", author=author)
    site.hub.refs.create(site.repo, f"refs/heads/{BRANCH}", sha, actor=site.bot)
    return sha


def head_of(site: Site) -> str:
    return site.hub.pulls.get(site.repo, 2).head_sha


def add_run(site: Site, *, status: str = "completed", conclusion: str | None = "success") -> WorkflowRun:
    now = site.hub.store.now()
    path = ".github/workflows/train.yml"
    workflow = site.hub.store.add(Workflow(repo_id=site.repo.id, path=path, name="Train", created_at=now))
    run = site.hub.store.add(
        WorkflowRun(
            repo_id=site.repo.id,
            workflow_id=workflow.id,
            path=path,
            name="Train",
            display_title=f"#2 at {head_of(site)}",
            run_number=1,
            head_branch="main",
            head_sha=head_of(site),
            actor=site.bot.login,
            triggering_actor=site.bot.login,
            inputs={"pr": "2", "sha": head_of(site), "request": "x"},
            created_at=now,
            updated_at=now + timedelta(seconds=75),
            started_at=now,
            status=status,
            conclusion=conclusion,
        )
    )
    site.hub.jobs.live_log(run.id).write_text(
        "Job: train\n##[group]Train\n\x1b[31mstep 1\x1b[0m\n10%\r50%\rstep <2>\n##[endgroup]\n"
        "##[group]Keep\n##[error]no\n"
    )
    return run


def add_artifact(site: Site, run: WorkflowRun) -> Artifact:
    now = site.hub.store.now()
    artifact = site.hub.store.add(
        Artifact(
            repo_id=site.repo.id,
            run_id=run.id,
            run_attempt=1,
            name="result",
            size=4,
            digest="0",
            file="a.zip",
            created_at=now,
            expires_at=now + timedelta(days=1),
        )
    )
    site.hub.jobs.artifact_file(artifact).write_bytes(b"PK\5\6")
    return artifact


# Every page is there


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/you/lab", '<h1 id="user-content-the-lab">The lab</h1>'),
        ("/you/lab/issues", "A question"),
        ("/you/lab/issues?state=closed", "Nothing here"),
        ("/you/lab/issues?label=experiment&author=you", "Bytes"),
        ("/you/lab/issues/1", "<strong>Stage</strong>"),
        ("/you/lab/issues/new", "One issue, <strong>one idea</strong>."),
        ("/you/lab/issues/new?template=blank", "Markdown is understood"),
        ("/you/lab/pulls", "Run 1: wider"),
        ("/you/lab/pulls?state=all", BRANCH),
        ("/you/lab/pull/2", "trainwright / result"),
        ("/you/lab/pull/2/commits", "run 1: wider"),
        ("/you/lab/pull/2/files", '<tr class="add">'),
        ("/you/lab/tree/main/", "README.md"),
        ("/you/lab/tree/main/experiments", "1-bytes"),
        (f"/you/lab/tree/{BRANCH}/{FOLDER}", "plot.png"),
        ("/you/lab/blob/main/README.md", 'href="/you/lab/blob/main/.github/ISSUE_TEMPLATE/experiment.yml"'),
        ("/you/lab/blob/main/README.md?plain=1", "# The lab"),
        (f"/you/lab/blob/{BRANCH}/{FOLDER}/train.py", '<span class="hl-n">192</span>'),
        (f"/you/lab/blob/refs/pull/2/head/{FOLDER}/train.py", '<span class="hl-n">192</span>'),
        (f"/you/lab/blob/main/{FOLDER}/old.png", '<img src="?raw=true"'),
        ("/you/lab/blob/main/weights.bin", "Download it"),
        ("/you/lab/blob/main/empty.txt", "This file is empty."),
        ("/you/lab/blob/main/evil.html", "&lt;script&gt;"),
        ("/you/lab/commits/main", "Initial commit"),
        (f"/you/lab/commits/{BRANCH}/{FOLDER}/train.py", "run 1: wider"),
        ("/you/lab/edit/main/README.md", "# The lab"),
        ("/you/lab/actions", "No training has been started yet"),
    ],
)
def test_every_page(still: Site, address: str, says: str) -> None:
    assert says in still.body(address)


def test_the_start_leads_to_the_only_repository(site: Site) -> None:
    assert site.browser.get("/").headers["location"] == "/you/lab"
    site.hub.accounts.create_repo("you/other", files={})
    site.hub.accounts.create_repo("mate/secret", files={"a": b""}, private=True)
    page = site.body("/")
    assert "you/other" in page
    assert "secret" not in page
    site.body("/mate/secret", status=404)
    site.act_as("mate")
    site.body("/mate/secret")


def test_an_issue_tells_what_happened_in_order(still: Site) -> None:
    page = still.body("/you/lab/issues/1")
    order = ["Low bpb", "added the label", "<strong>Stage</strong>", "mentioned this in", "A question"]
    places = [page.index(word) for word in order]
    assert places == sorted(places)
    assert "mark" not in page.replace("Markdown", "")
    assert "👀 1" in page
    assert '<span class="badge">bot</span>' in page
    assert 'value="paused"' in page


def test_a_pull_request_shows_plot_check_and_merge_box(still: Site) -> None:
    page = still.body("/you/lab/pull/2")
    assert f'<img src="/you/lab/blob/{head_of(still)}/{FOLDER}/plot.png?raw=true"' in page
    assert "<strong>2.29</strong>" in page
    assert "No conflicts with main" in page
    for method in ("merge", "squash", "rebase"):
        assert f'<option value="{method}"' in page


def test_the_files_of_a_pull_request(still: Site) -> None:
    page = still.body("/you/lab/pull/2/files")
    assert 'data-no="1"></td><td class="no" data-no="">' in page
    assert 'WIDTH = <span class="hl-n">128</span>' in page
    assert 'WIDTH = <span class="hl-n">192</span>' in page
    before, after = still.hub.pulls.get(still.repo, 2).base_sha, head_of(still)
    assert f"/blob/{before}/{FOLDER}/old.png?raw=true" in page
    assert f"/blob/{after}/{FOLDER}/old.png?raw=true" in page
    assert f"/blob/{after}/{FOLDER}/plot.png?raw=true" in page


def test_a_commit(still: Site) -> None:
    page = still.body(f"/you/lab/commit/{head_of(still)}")
    assert "Why not." in page
    assert "trainwright / result" in page
    first = still.hub.repos.git(still.repo).resolve("refs/heads/main")
    assert "Initial commit" in still.body(f"/you/lab/commit/{first}")


def test_issues_and_pull_requests_find_each_other(still: Site) -> None:
    assert still.browser.get("/you/lab/issues/2").headers["location"] == "/you/lab/pull/2"
    assert still.browser.get("/you/lab/pull/1").headers["location"] == "/you/lab/issues/1"


def test_a_workflow_run_with_its_log_and_artifact(site: Site) -> None:
    run = add_run(site)
    artifact = add_artifact(site, run)
    assert f"#2 at {head_of(site)[:7]}</a>" in site.body("/you/lab/actions")
    page = site.body(f"/you/lab/actions/runs/{run.id}")
    assert "step 1\nstep &lt;2&gt;\n" in page
    assert '<span class="bad">no</span>' in page
    assert "1 min 15 s" in page
    assert "step <2>" in site.body(f"/you/lab/actions/runs/{run.id}/log")
    zipped = site.browser.get(f"/you/lab/actions/runs/{run.id}/artifacts/{artifact.id}")
    assert (zipped.content, zipped.headers["content-type"]) == (b"PK\5\6", "application/zip")
    site.hub.store.save(replace(artifact, expires_at=artifact.created_at))
    assert "expired" in site.body(f"/you/lab/actions/runs/{run.id}")
    assert "Re-run" in site.body(f"/you/lab/actions/runs/{run.id}/artifacts/{artifact.id}", status=410)


def test_a_check_run_is_shown_on_its_commit(still: Site) -> None:
    check = still.hub.checks.of_commit(still.repo, head_of(still))[0]
    address = still.browser.get(f"/you/lab/runs/{check.id}").headers["location"]
    assert f'id="check-{check.id}"' in still.body(address)


# Forms


def test_the_labs_form_opens_an_experiment(site: Site) -> None:
    answers = {
        "answer-1": "Train\r\nbytes",
        "answer-2": "",
        "answer-3": "4 runs",
        "answer-4": "a: 1",
        "answer-5": "I am",
    }
    place = site.send("/you/lab/issues/new?template=experiment.yml", answers, title=" Try: bytes ")
    assert place == "/you/lab/issues/4"
    issue = site.issue(4)
    assert (issue.title, issue.author, issue.labels) == ("Try: bytes", "you", ("experiment",))
    assert issue.body == (
        "### Idea\n\nTrain\nbytes\n\n### Metric\n\n_No response_\n\n### Runs\n\n4 runs\n\n"
        "### Constraints\n\n```yaml\na: 1\n```\n\n### Sure\n\n- [x] I am\n- [ ] Keep plots"
    )
    assert site.webhooks()[-2:] == ["issues.opened", "issues.labeled"]


def test_a_form_labels_for_whoever_fills_it_in_but_makes_no_labels(site: Site) -> None:
    site.act_as("guest")
    answers = {"answer-1": "x", "answer-5": "I am"}
    site.send("/you/lab/issues/new?template=experiment.yml", answers, title="By a guest")
    assert (site.issue(4).author, site.issue(4).labels) == ("guest", ("experiment",))
    site.hub.store.remove(site.hub.store.get(Label, repo_id=site.repo.id, name="experiment"))
    assert "does not exist here yet" in site.body("/you/lab/issues/new")
    site.send("/you/lab/issues/new?template=experiment.yml", answers, title="No label")
    assert site.issue(5).labels == ()


def test_a_form_that_lacks_something_comes_back_with_what_was_typed(site: Site) -> None:
    page = site.send("/you/lab/issues/new?template=experiment.yml", {"answer-2": "val_bpb"}, status=422, title="T")
    assert "Still needed: Idea, I am." in page
    assert 'value="val_bpb"' in page
    assert site.hub.store.find(Issue, number=4) is None


def test_a_blank_issue(site: Site) -> None:
    assert site.send("/you/lab/issues/new?template=blank", title="T", body="a\r\nb") == "/you/lab/issues/4"
    assert site.issue(4).body == "a\nb"
    assert "title" in site.send("/you/lab/issues/new?template=blank", title="", status=422)


def test_comments_close_and_reopen(site: Site) -> None:
    place = site.send("/you/lab/issues/1/comment", body="/revise-plan wider\r\nplease")
    comment = site.hub.issues.comments(site.repo, 1)[-1]
    assert (comment.author, comment.body) == ("you", "/revise-plan wider\nplease")
    assert place == f"/you/lab/issues/1#issuecomment-{comment.id}"
    assert site.webhooks()[-1] == "issue_comment.created"
    site.send("/you/lab/issues/1/comment", body="", also="close")
    assert site.issue(1).state == "closed"
    site.send("/you/lab/issues/1/comment", body="Again.", also="reopen")
    assert site.issue(1).state == "open"
    site.send("/you/lab/issues/1/state", state="close", reason="not_planned")
    assert site.issue(1).state_reason == "not_planned"
    assert "as not planned" in site.body("/you/lab/issues/1")
    assert "blank" in site.send("/you/lab/issues/1/comment", body="  ", status=422)
    assert "no state" in site.send("/you/lab/issues/1/state", state="burn", status=422)


def test_labels_come_and_go(site: Site) -> None:
    site.send("/you/lab/issues/1/labels", add="paused")
    assert site.issue(1).labels == ("experiment", "paused")
    site.send("/you/lab/issues/1/labels", remove="experiment")
    assert site.issue(1).labels == ("paused",)
    assert site.webhooks()[-2:] == ["issues.labeled", "issues.unlabeled"]


def test_title_and_body_can_be_edited(site: Site) -> None:
    site.send("/you/lab/issues/1/edit", title="Bits", body="new")
    assert (site.issue(1).title, site.issue(1).body) == ("Bits", "new")
    assert "changed the title" in site.body("/you/lab/issues/1")


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_merging(site: Site, method: str) -> None:
    place = site.send("/you/lab/pull/2/merge", method=method, sha=head_of(site))
    assert place == "/you/lab/pull/2#merge-box"
    assert site.hub.pulls.get(site.repo, 2).merged
    assert "pull_request.closed" in site.webhooks()
    page = site.body("/you/lab/pull/2")
    assert "Merged." in page
    assert "merged this as" in page
    assert "closed this" not in page
    assert "Merge pull request</button>" not in page
    assert "run 1: wider" in site.body("/you/lab/pull/2/commits")
    assert 'WIDTH = <span class="hl-n">128</span>' in site.body("/you/lab/pull/2/files")
    assert "192" in site.body(f"/you/lab/blob/main/{FOLDER}/train.py")


def test_a_head_that_moved_is_not_merged(site: Site) -> None:
    page = site.send("/you/lab/pull/2/merge", method="merge", sha="0" * 40, status=409)
    assert "Somebody was faster" in page
    assert not site.hub.pulls.get(site.repo, 2).merged


def test_a_conflict_is_said(site: Site) -> None:
    train = f"{FOLDER}/train.py"
    old = site.hub.repos.git(site.repo).resolve(f"refs/heads/main:{train}")
    other = TRAIN.replace("128", "64").encode()
    site.hub.refs.edit_file(site.repo, train, other, actor=Actor("you"), message="m", branch="main", sha=old)
    assert "conflicts with main" in site.body("/you/lab/pull/2")
    assert "cannot be merged" in site.send("/you/lab/pull/2/merge", method="merge", status=405)


def test_closing_and_reopening_a_pull_request(site: Site) -> None:
    assert site.send("/you/lab/issues/2/comment", body="No.", also="close").startswith("/you/lab/pull/2#")
    assert site.issue(2).state == "closed"
    assert "Closed without merging." in site.body("/you/lab/pull/2")
    site.send("/you/lab/issues/2/comment", also="reopen")
    assert site.issue(2).state == "open"
    site.send("/you/lab/issues/2/comment", also="close")
    site.send("/you/lab/pull/2/delete-branch")
    assert site.hub.repos.git(site.repo).resolve(f"refs/heads/{BRANCH}") is None
    page = site.body("/you/lab/pull/2")
    assert "deleted the branch" in page
    assert 'value="reopen"' not in page


def test_reviews(site: Site) -> None:
    place = site.send("/you/lab/pull/2/review", event="REQUEST_CHANGES", body="Log the norm.")
    review = site.hub.pulls.reviews(site.repo, 2)[0]
    assert (review.state, review.author) == ("CHANGES_REQUESTED", "you")
    assert place == f"/you/lab/pull/2#pullrequestreview-{review.id}"
    page = site.body("/you/lab/pull/2")
    assert "requested changes" in page
    assert "Log the norm." in page
    assert site.webhooks()[-1] == "pull_request_review.submitted"


def test_a_file_can_be_edited_on_its_branch(site: Site) -> None:
    sha = site.hub.repos.git(site.repo).resolve("refs/heads/main:README.md") or ""
    place = site.send("/you/lab/edit/main/README.md", text="# New\r\n", sha=sha)
    assert place == "/you/lab/blob/main/README.md"
    assert site.hub.repos.git(site.repo).blob("refs/heads/main:README.md") == b"# New\n"
    assert "Update README.md" in site.body("/you/lab/commits/main")
    site.send("/you/lab/edit/main/README.md", text="late", sha=sha, status=409)
    site.body(f"/you/lab/edit/{head_of(site)}/README.md", status=422)
    site.body("/you/lab/edit/main/weights.bin", status=422)


def test_cancel_and_run_again(site: Site) -> None:
    run = add_run(site, status="queued", conclusion=None)
    assert "Cancel</button>" in site.body(f"/you/lab/actions/runs/{run.id}")
    site.send(f"/you/lab/actions/runs/{run.id}/cancel")
    assert site.hub.store.get(WorkflowRun, id=run.id).conclusion == "cancelled"
    site.send(f"/you/lab/actions/runs/{run.id}/cancel", status=409)
    site.send(f"/you/lab/actions/runs/{run.id}/rerun")
    assert site.hub.store.get(WorkflowRun, id=run.id).run_attempt == 2


# Who may


def test_acting_as_someone_else(site: Site) -> None:
    site.act_as("mate")
    site.send("/you/lab/issues/1/comment", body="Hello from mate")
    assert site.hub.issues.comments(site.repo, 1)[-1].author == "mate"
    site.send("/-/user", login="trainwright[bot]", status=422)
    assert site.send("/-/user", login="you", back="//evil.example") == "/"


def test_a_guest_is_told_what_they_may_not_do(site: Site) -> None:
    site.act_as("guest")
    page = site.body("/you/lab/pull/2")
    assert "guest may not merge" in page
    assert "+ paused" not in page
    refused = site.send("/you/lab/pull/2/merge", method="merge", status=403)
    assert "You act as guest." in refused
    site.send("/you/lab/issues/1/labels", add="paused", status=403)
    site.send("/you/lab/issues/1/edit", title="Mine", status=403)
    site.body("/you/lab/edit/main/README.md", status=422)
    assert "Comment as guest" in site.body("/you/lab/issues/1")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_forms_of_other_sites_are_refused(still: Site, headers: dict[str, str]) -> None:
    answer = still.browser.post("/you/lab/issues/1/comment", data={"body": "x"}, headers=headers)
    assert answer.status_code == 403
    assert len(still.hub.issues.comments(still.repo, 1)) == 1


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "lab.localhost"])
def test_our_own_forms_are_taken(site: Site, host: str) -> None:
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    answer = site.browser.post("/you/lab/issues/1/comment", data={"body": "x"}, headers=headers)
    assert answer.status_code == 303


@pytest.mark.parametrize(
    "address",
    [
        "/nowhere",
        "/you/nothing",
        "/you/lab/wiki/and/more",
        "/you/lab/issues/99",
        "/you/lab/issues/ninety",
        "/you/lab/pull/99",
        "/you/lab/pull/1/files",
        "/you/lab/issues/new?template=none.yml",
        "/you/lab/blob/main/none.md",
        "/you/lab/blob/main/experiments",
        "/you/lab/blob/HEAD@{0}/README.md",
        "/you/lab/tree/none/",
        "/you/lab/tree/main/README.md",
        "/you/lab/commit/main",
        "/you/lab/commit/0123456",
        "/you/lab/actions/runs/1",
        "/-/static/x/none.css",
        "/-/static/x/..%2F..%2Fhub.py",
    ],
)
def test_what_is_not_there_is_said_with_the_next_step(still: Site, address: str) -> None:
    page = still.body(address, status=404)
    assert "Nothing here" in page
    assert '<a href="/you/lab">' in page


# What is sent


@pytest.mark.parametrize(
    ("path", "media"),
    [
        (f"{FOLDER}/old.png", "image/png"),
        ("evil.html", "text/plain; charset=utf-8"),
        ("evil.svg", "text/plain; charset=utf-8"),
        ("weights.bin", "application/octet-stream"),
    ],
)
def test_raw_bytes_are_never_a_page(still: Site, path: str, media: str) -> None:
    answer = still.browser.get(f"/you/lab/blob/main/{path}?raw=true")
    assert answer.content == FILES[path]
    assert answer.headers["content-type"] == media
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_pages_allow_no_script_but_ours(still: Site) -> None:
    answer = still.browser.get("/you/lab/issues/3")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "alert(1)" in answer.text
    assert "<script>alert" not in answer.text
    script = answer.text.partition('<script src="')[2].partition('"')[0]
    assert still.browser.get(script).headers["content-type"].startswith("text/javascript")


def test_a_page_that_did_not_change_is_not_sent_again(site: Site) -> None:
    first = site.browser.get("/you/lab/pull/2")
    same = site.browser.get("/you/lab/pull/2", headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    site.hub.issues.comment(site.repo, 2, actor=site.bot, body="news")
    fresh = site.browser.get("/you/lab/pull/2", headers={"If-None-Match": first.headers["etag"]})
    assert fresh.status_code == 200


# The pure parts


def test_a_form_that_cannot_be_read_is_refused() -> None:
    for text in ("name: [", "name: x", "body: []", "- a", "name: x\nbody: [{type: colour}]"):
        with pytest.raises(FormError):
            read_form(text)


def test_answers_are_put_together_as_github_does() -> None:
    form = read_form(FORM)
    assert missing(form, {"answer-1": (" ",), "answer-5": ("Keep plots",)}) == ["Idea", "I am"]
    assert compose(form, {}).startswith("### Idea\n\n_No response_\n\n### Metric\n\n_No response_")
    assert read_form(json.dumps({"name": "x", "labels": "a, b", "body": [{"type": "input"}]})).label_names == ("a", "b")


def test_diff_lines_are_numbered_on_both_sides() -> None:
    patch = "@@ -1,3 +1,3 @@ def f\n a\n-b\n+B\n c\n\\ No newline at end of file"
    lines = list(diff_lines(patch, ["a", "b", "c"], ["a", "<i>B</i>", "c"]))
    assert [(line.kind, line.old, line.new, str(line.html)) for line in lines] == [
        ("hunk", None, None, "@@ -1,3 +1,3 @@ def f"),
        ("same", 1, 1, "a"),
        ("del", 2, None, "b"),
        ("add", None, 2, "<i>B</i>"),
        ("same", 3, 3, "c"),
        ("note", None, None, "No newline at end of file"),
    ]


def test_a_log_is_read_by_steps() -> None:
    steps = read_steps(
        ["Job: train", "##[group]A", "x", "##[endgroup]", "##[group]B", "##[error]no", "##[endgroup]", "end"]
    )
    assert [(step.title, [line for line, _ in step.lines], step.ended) for step in steps] == [
        ("Job", ["Job: train"], True),
        ("A", ["x"], True),
        ("B", ["no"], True),
        ("Job", ["end"], True),
    ]


def test_small_words() -> None:
    assert span(timedelta(seconds=59)) == "59 s"
    assert span(timedelta(seconds=3725)) == "1 h 2 min"
    assert short_shas(f"run at {'a' * 40}.") == "run at aaaaaaa."
    hues = [label_hue(Label(repo_id=1, name="x", color=color)) for color in ("ff0000", "00ff00", "0000ff", "ededed")]
    assert hues == ["0", "4", "8", "grey"]
