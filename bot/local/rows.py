"""What the stand-in knows, one frozen value per noun. The store keeps each in a table of its own.

People and bots are named by their login, issues and pull requests by (repo_id, number). Times are UTC, in whole
seconds, as GitHub's are.
"""

from dataclasses import dataclass
from datetime import datetime

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


@dataclass(frozen=True, kw_only=True)
class Row:
    id: int = 0


@dataclass(frozen=True, kw_only=True)
class Setting(Row):
    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class User(Row):
    login: str
    created_at: datetime
    is_bot: bool = False


@dataclass(frozen=True, kw_only=True)
class Token(Row):
    """A person's token, or an installation's, which expires and may be narrowed to some repositories."""

    token: str
    login: str
    installation_id: int | None = None
    expires_at: datetime | None = None
    repository_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class App(Row):
    slug: str
    client_id: str
    owner: str
    public_key: str
    webhook_url: str
    webhook_secret: str
    created_at: datetime

    @property
    def login(self) -> str:
        return f"{self.slug}[bot]"


@dataclass(frozen=True, kw_only=True)
class Installation(Row):
    app_id: int
    account: str
    repository_ids: tuple[int, ...]
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Repository(Row):
    owner: str
    name: str
    created_at: datetime
    pushed_at: datetime
    description: str = ""
    default_branch: str = "main"
    private: bool = False
    delete_branch_on_merge: bool = True

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Collaborator(Row):
    repo_id: int
    login: str
    role: str
    """One of read, triage, write, maintain, admin."""


@dataclass(frozen=True, kw_only=True)
class Label(Row):
    repo_id: int
    name: str
    color: str = "ededed"
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Issue(Row):
    """An issue, or the issue half of a pull request (`is_pull`): title, body, state, labels and conversation."""

    repo_id: int
    number: int
    title: str
    body: str
    author: str
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    state_reason: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    is_pull: bool = False
    app_id: int | None = None
    edited_at: datetime | None = None
    """The body; a new title is in the timeline."""
    edited_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Absence(Row):
    """The number of an issue that is here no more: transferred, or deleted (`new_repo_id` is None)."""

    repo_id: int
    number: int
    new_repo_id: int | None = None
    new_number: int | None = None


@dataclass(frozen=True, kw_only=True)
class TimelineEvent(Row):
    """labeled, unlabeled, assigned, unassigned, renamed, closed, reopened, merged, head_ref_deleted, transferred."""

    repo_id: int
    number: int
    event: str
    actor: str
    created_at: datetime
    subject: str = ""
    """The label, the assignee or the new title."""
    former: str = ""
    """The old title."""
    commit_id: str | None = None
    state_reason: str | None = None
    app_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Comment(Row):
    repo_id: int
    number: int
    author: str
    body: str
    created_at: datetime
    updated_at: datetime
    app_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Reaction(Row):
    subject: str
    """`issue` or `comment`."""
    subject_id: int
    login: str
    content: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class PullRequest(Row):
    """What a pull request has beyond its `Issue`, which bears the same number."""

    repo_id: int
    number: int
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    draft: bool = False
    merged_at: datetime | None = None
    merged_by: str | None = None
    merge_commit_sha: str | None = None

    @property
    def merged(self) -> bool:
        return self.merged_at is not None


@dataclass(frozen=True, kw_only=True)
class Review(Row):
    repo_id: int
    number: int
    author: str
    state: str
    """APPROVED, CHANGES_REQUESTED or COMMENTED."""
    body: str
    commit_id: str
    submitted_at: datetime


@dataclass(frozen=True, kw_only=True)
class CheckRun(Row):
    repo_id: int
    app_id: int
    name: str
    head_sha: str
    status: str
    conclusion: str | None = None
    external_id: str = ""
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: int = 0
    started_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Workflow(Row):
    repo_id: int
    path: str
    name: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class WorkflowRun(Row):
    repo_id: int
    workflow_id: int
    path: str
    name: str
    display_title: str
    run_number: int
    head_branch: str
    head_sha: str
    actor: str
    triggering_actor: str
    inputs: dict[str, str]
    created_at: datetime
    updated_at: datetime
    started_at: datetime
    """Of the newest attempt."""
    event: str = "workflow_dispatch"
    run_attempt: int = 1
    status: str = "queued"
    """queued, in_progress or completed."""
    conclusion: str | None = None


@dataclass(frozen=True, kw_only=True)
class Artifact(Row):
    repo_id: int
    run_id: int
    run_attempt: int
    name: str
    size: int
    digest: str
    file: str
    """The zip's name in the stand-in's folder of artifacts."""
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Delivery(Row):
    """One webhook, as it was or will be sent. Its guid names the event: a redelivery keeps it."""

    guid: str
    app_id: int
    event: str
    action: str
    payload: str
    created_at: datetime
    attempts: int = 0
    status_code: int | None = None
    """None until it was tried, 0 where there was no answer."""
    error: str = ""


KINDS: tuple[type[Row], ...] = (
    Setting,
    User,
    Token,
    App,
    Installation,
    Repository,
    Collaborator,
    Label,
    Issue,
    Absence,
    TimelineEvent,
    Comment,
    Reaction,
    PullRequest,
    Review,
    CheckRun,
    Workflow,
    WorkflowRun,
    Artifact,
    Delivery,
)
