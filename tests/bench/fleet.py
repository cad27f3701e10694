"""Many labs on one stand-in, written straight into its store and its repositories.

Each experiment waits for the review of its first run, and all that the bot says by then is said: a look at it reads
what it has to and writes nothing. An issue and its pull request have the numbers n and n + experiments.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from bot import shipped
from bot.comments import CHECK, pull_title
from bot.desired import missing
from bot.documents import render_idea, render_plan, render_tasks
from bot.events import branch_of, request_name
from bot.experiment import EXPERIMENT, PAUSED, Authority, Experiment, Pull, Run, decide
from bot.folder import CODE, IDEA, LOG, PLAN, TASKS, Folder, blob_sha, folder_name, record_path
from bot.lab import PATH as CONFIG
from bot.lab import read_config
from bot.local.access import Actor
from bot.local.rows import (
    CheckRun,
    Comment,
    Delivery,
    Issue,
    Label,
    PullRequest,
    Reaction,
    Repository,
    TimelineEvent,
    Workflow,
    WorkflowRun,
)
from bot.local.server import LocalGitHub
from bot.pieces import Body, Note, Piece, Seen, posted
from bot.pieces import CheckRun as CheckPiece
from bot.records import Record, to_json
from tests.story import SECRET, TRAIN
from tests.values import METRIC, attempt, conclusion, proposal

BOT = "trainwright[bot]"
LABS_OF_AN_OWNER = 10
LONG_AGO = timedelta(days=1)
SETTINGS = yaml.safe_dump({"budget": {"runs": 1}, "runner": {"labels": ["self-hosted"]}})
"""With one run in the budget a merge leads to the report, and never to a training."""
IDEA_TEXT = "Does a larger model help?"


@dataclass(frozen=True)
class Spot:
    """One experiment: where its issue is, and the pull request and the training of its run."""

    repo: Repository
    issue: int
    pull: int
    training: WorkflowRun

    @property
    def key(self) -> tuple[str, int]:
        return self.repo.full_name, self.issue

    @property
    def owner(self) -> Actor:
        return Actor(self.repo.owner)


class Fleet:
    """`url` is where the app's webhook is; nothing is delivered to it by itself."""

    def __init__(self, folder: Path, *, labs: int, experiments: int, url: str = "http://127.0.0.1:9/") -> None:
        self.github = LocalGitHub(folder / "github", plan=lost)
        self.calls = self.github.faults.calls
        self.app = self.github.create_app("trainwright", owner="ada", webhook_url=url, webhook_secret=SECRET)
        self.spots = [spot for number in range(labs) for spot in self._lab(number, experiments)]
        self.github.faults.record = True
        self.github.start()

    def _lab(self, number: int, experiments: int) -> list[Spot]:
        name = f"team{number // LABS_OF_AN_OWNER}/lab{number % LABS_OF_AN_OWNER}"
        files = {CONFIG: SETTINGS.encode(), shipped.WORKFLOW: shipped.path(shipped.WORKFLOW).read_bytes()}
        repo = self.github.create_repo(name, files=files)
        self.github.install(self.app.app_id, name)
        with self.github.store.transaction():
            return Filling(self.github, repo, self.app.app_id).fill(experiments)

    def experiments(self) -> set[tuple[str, int]]:
        return {spot.key for spot in self.spots}

    def end(self) -> None:
        self.github.stop()


def lost(delivery: Delivery) -> Iterable[Delivery]:
    return ()


@dataclass(frozen=True)
class Draft:
    """An experiment whose branch is not pushed yet."""

    issue: Issue
    labelled: TimelineEvent
    training: WorkflowRun
    record: Record
    path: str
    files: Mapping[str, str]

    @property
    def branch(self) -> str:
        return branch_of(self.issue.number, "1")


class Filling:
    """One lab being filled: first the rows that give ids, then the branches, then all that shows a branch's commit."""

    def __init__(self, github: LocalGitHub, repo: Repository, app_id: int) -> None:
        self._store = github.store
        self._git = github.hub.repos.git(repo)
        self._repo = repo
        self._app_id = app_id
        self._then: datetime = self._store.now() - LONG_AGO
        self._workflow = github.hub.jobs.workflow(repo, Path(shipped.WORKFLOW).name)
        self._main = self._git.resolve("refs/heads/main") or ""

    def fill(self, experiments: int) -> list[Spot]:
        for name in (EXPERIMENT, PAUSED):
            self._store.add(Label(repo_id=self._repo.id, name=name))
        drafts = [self._draft(number, pull=experiments + number) for number in range(1, experiments + 1)]
        self._git.run("fast-import", "--quiet", stdin=b"".join(_commit(draft, self._main) for draft in drafts))
        heads = self._git.refs("refs/heads/experiment/")
        return [self._spot(draft, heads[f"refs/heads/{draft.branch}"]) for draft in drafts]

    def _draft(self, number: int, *, pull: int) -> Draft:
        title = f"Larger models {number}"
        issue = self._issue(number, title, IDEA_TEXT, author=self._repo.owner, labels=(EXPERIMENT,))
        labelled = TimelineEvent(
            repo_id=self._repo.id,
            number=number,
            event="labeled",
            actor=self._repo.owner,
            created_at=self._then,
            subject=EXPERIMENT,
        )
        path = folder_name(number, title)
        training = self._store.add(_training(self._workflow, self._then))
        documents = {
            IDEA: render_idea(title, IDEA_TEXT, issue=number, author=self._repo.owner),
            PLAN: render_plan("Fit the smallest model.", METRIC),
            TASKS: render_tasks([("Write the first version", True), ("Try a larger model", False)]),
            LOG: f"# Experiment log: {title}\n",
            CODE: TRAIN.format(loss=2.0),
        }
        inputs = Folder("", path).with_files("", documents).inputs
        record = _record(number, pull, inputs, training.id, plan=documents[PLAN], base=self._main)
        files = {**documents, record_path("1"): to_json(record)}
        return Draft(issue, self._store.add(labelled), training, record, path, files)

    def _issue(self, number: int, title: str, body: str, *, author: str, labels: tuple[str, ...] = ()) -> Issue:
        return self._store.add(
            Issue(
                repo_id=self._repo.id,
                number=number,
                title=title,
                body=body,
                author=author,
                created_at=self._then,
                updated_at=self._then,
                labels=labels,
                is_pull=author == BOT,
                app_id=self._app_id if author == BOT else None,
            )
        )

    def _spot(self, draft: Draft, head: str) -> Spot:
        number, pull = draft.issue.number, draft.record.pull or 0
        request = request_name(number, "1", draft.record.inputs, 1)
        training = self._store.save(replace(draft.training, display_title=f"Train #{pull} {head} {request}"))
        x = self._experiment(draft, head)
        self._issue(pull, pull_title(x, x.runs[0]), "", author=BOT)
        self._store.add(
            PullRequest(
                repo_id=self._repo.id,
                number=pull,
                head_ref=draft.branch,
                head_sha=head,
                base_ref="main",
                base_sha=self._main,
            )
        )
        for piece in missing(x, decide(x, self._then)):
            self._say(draft, piece)
        return Spot(self._repo, number, pull, training)

    def _experiment(self, draft: Draft, head: str) -> Experiment:
        """As the bot will load it."""
        issue, folder = draft.issue, Folder(head, draft.path).with_files(head, draft.files)
        pull = Pull(draft.record.pull or 0, draft.branch, head, True, False, "", "", "")
        return Experiment(
            lab=self._repo.full_name,
            number=issue.number,
            title=issue.title,
            body=issue.body,
            author=issue.author,
            url="",
            open=True,
            labels=frozenset(issue.labels),
            authority=Authority(issue.author, True, draft.labelled.id),
            config=read_config(SETTINGS),
            main=Folder(self._main, draft.path),
            runs=(Run("1", folder, pull),),
        )

    def _say(self, draft: Draft, piece: Piece) -> None:
        """The rows that this piece is on GitHub."""
        match piece:
            case Seen():
                self._store.add(self._eyes(draft.issue))
            case Note():
                self._store.add(self._comment(piece))
            case Body():
                issue = self._store.get(Issue, repo_id=self._repo.id, number=piece.pull)
                self._store.save(replace(issue, body=posted(piece)))
            case CheckPiece():
                self._store.add(self._check(piece))

    def _eyes(self, issue: Issue) -> Reaction:
        return Reaction(subject="issue", subject_id=issue.id, login=BOT, content="eyes", created_at=self._then)

    def _comment(self, note: Note) -> Comment:
        return Comment(
            repo_id=self._repo.id,
            number=note.thread,
            author=BOT,
            body=posted(note),
            created_at=self._then,
            updated_at=self._then,
            app_id=self._app_id,
        )

    def _check(self, check: CheckPiece) -> CheckRun:
        return CheckRun(
            repo_id=self._repo.id,
            app_id=self._app_id,
            name=CHECK,
            head_sha=check.sha,
            status=check.status,
            conclusion=check.conclusion,
            external_id=check.external_id,
            title=check.title,
            summary=check.summary,
            completed_at=self._then,
        )


def _training(workflow: Workflow, at: datetime) -> WorkflowRun:
    return WorkflowRun(
        repo_id=workflow.repo_id,
        workflow_id=workflow.id,
        path=workflow.path,
        name=workflow.name,
        display_title="",
        run_number=1,
        head_branch="main",
        head_sha="",
        actor=BOT,
        triggering_actor=BOT,
        inputs={},
        created_at=at,
        updated_at=at,
        started_at=at,
        status="completed",
        conclusion="success",
    )


def _record(experiment: int, pull: int, inputs: str, training: int, *, plan: str, base: str) -> Record:
    """Trained, and concluded."""
    made = attempt(workflow_run=training, inputs=inputs)
    return Record(
        experiment=experiment,
        run="1",
        inputs=inputs,
        metric=METRIC,
        proposal=proposal(),
        pull=pull,
        plan=blob_sha(plan.encode()),
        base=base,
        attempts=(made,),
        conclusion=conclusion(attempt=made.key),
    )


def _commit(draft: Draft, parent: str) -> bytes:
    """For git fast-import: the branch, and what the pull request shows."""
    mark = f":{draft.issue.number}"
    lines = [f"commit refs/heads/{draft.branch}\nmark {mark}\ncommitter {BOT} <{BOT}> 1700000000 +0000\n".encode()]
    lines += [_data("Run 1"), f"from {parent}\n".encode()]
    for name, text in draft.files.items():
        lines += [f"M 100644 inline {draft.path}/{name}\n".encode(), _data(text)]
    return b"".join([*lines, f"\nreset refs/pull/{draft.record.pull}/head\nfrom {mark}\n\n".encode()])


def _data(text: str) -> bytes:
    content = text.encode()
    return b"data %d\n%s\n" % (len(content), content)
