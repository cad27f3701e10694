"""Pull requests: open, edit, merge, review. Their title, body, state and conversation are an `Issue`."""

from dataclasses import replace

from bot.local.access import Access, Actor
from bot.local.git import ZERO, FileChange
from bot.local.issues import Issues, check_body
from bot.local.notices import Notices
from bot.local.refs import Refs
from bot.local.refusals import Conflict, Invalid, NotAllowed
from bot.local.repos import Repos
from bot.local.rows import Issue, PullRequest, Repository, Review
from bot.local.store import Store

METHODS = ("merge", "squash", "rebase")
EVENTS = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


class Pulls:
    def __init__(
        self, store: Store, repos: Repos, access: Access, notices: Notices, issues: Issues, refs: Refs
    ) -> None:
        self._store = store
        self._repos = repos
        self._access = access
        self._notices = notices
        self._issues = issues
        self._refs = refs

    def get(self, repo: Repository, number: int) -> PullRequest:
        return self._store.get(PullRequest, repo_id=repo.id, number=number)

    def all(self, repo: Repository) -> list[PullRequest]:
        return self._store.all(PullRequest, repo_id=repo.id)

    def reviews(self, repo: Repository, number: int) -> list[Review]:
        return self._store.all(Review, repo_id=repo.id, number=number)

    def commits(self, repo: Repository, number: int) -> list[str]:
        """Shas, oldest first."""
        pull = self.get(repo, number)
        return self._repos.git(repo).between(self._base_now(repo, pull), pull.head_sha)

    def files(self, repo: Repository, number: int) -> list[FileChange]:
        """The three-dot diff: what the branch did since it left the base."""
        pull = self.get(repo, number)
        git = self._repos.git(repo)
        start = git.merge_base(self._base_now(repo, pull), pull.head_sha) or pull.base_sha
        return git.changes(start, pull.head_sha)

    def mergeable(self, repo: Repository, number: int) -> bool | None:
        pull = self.get(repo, number)
        return None if pull.merged else self._repos.mergeable(repo, pull)

    def resting(self, repo: Repository, number: int) -> float:
        """Seconds since its head or its base moved."""
        git, pull = self._repos.git(repo), self.get(repo, number)
        return min(git.resting(f"refs/pull/{number}/head"), git.resting(f"refs/heads/{pull.base_ref}"))

    def open(
        self,
        repo: Repository,
        *,
        actor: Actor,
        title: str,
        head: str,
        base: str,
        body: str = "",
        draft: bool = False,
    ) -> Issue:
        """`head` and `base` are branches of this repository; `owner:branch` is understood."""
        self._access.require(actor, repo)
        head_ref = head.removeprefix(f"{repo.owner}:")
        git = self._repos.git(repo)
        head_sha, base_sha = git.resolve(f"refs/heads/{head_ref}"), git.resolve(f"refs/heads/{base}")
        for field, sha in (("head", head_sha), ("base", base_sha)):
            if sha is None:
                raise Invalid(resource="PullRequest", field=field)
        assert head_sha
        assert base_sha
        if not git.between(base_sha, head_sha):
            raise Invalid(f"No commits between {base} and {head_ref}", resource="PullRequest", code="custom")
        with self._store.transaction():
            self._refuse_second(repo, head_ref, base)
            issue = self._issues.create(repo, actor=actor, title=title, body=body, is_pull=True)
            git.set_ref(f"refs/pull/{issue.number}/head", head_sha)
            self._store.add(
                PullRequest(
                    repo_id=repo.id,
                    number=issue.number,
                    head_ref=head_ref,
                    head_sha=head_sha,
                    base_ref=base,
                    base_sha=base_sha,
                    draft=draft,
                )
            )
            self._notices.issue("opened", repo, issue, actor)
        return issue

    def merge(
        self,
        repo: Repository,
        number: int,
        *,
        actor: Actor,
        method: str = "merge",
        sha: str | None = None,
        title: str | None = None,
        message: str | None = None,
    ) -> str:
        """Answers the commit that the base branch now points to."""
        self._access.require(actor, repo)
        if method not in METHODS:
            raise Invalid(resource="PullRequest", field="merge_method")
        with self._store.transaction():
            issue, pull = self._issues.get(repo, number), self.get(repo, number)
            if issue.state != "open" or pull.draft:
                raise NotAllowed
            if sha is not None and sha != pull.head_sha:
                raise Conflict
            base_ref = f"refs/heads/{pull.base_ref}"
            base = self._repos.git(repo).resolve(base_ref)
            if base is None:
                raise NotAllowed
            commit = self._repos.merge(
                repo,
                method=method,
                base=base,
                head=pull.head_sha,
                message=_merge_message(repo, issue, pull, method, title, message),
                author=self._refs.signature(actor),
            )
            now = self._store.now()
            self._store.save(
                replace(pull, merged_at=now, merged_by=actor.login, merge_commit_sha=commit, base_sha=base)
            )
            self._issues.record(issue, actor, "merged", commit_id=commit)
            # Closed before the branches move: a merged pull request neither follows its branch nor is closed by it.
            self._issues.mark_closed(repo, issue, actor=actor, reason=None)
            self._refs.move(repo, base_ref, commit, actor=actor)
            if repo.delete_branch_on_merge:
                self.delete_branch(repo, number, actor=actor)
        return commit

    def delete_branch(self, repo: Repository, number: int, *, actor: Actor) -> None:
        """Of a pull request that is done; refs/pull/<n>/head keeps its commits."""
        pull = self.get(repo, number)
        ref = f"refs/heads/{pull.head_ref}"
        if self._repos.git(repo).resolve(ref) in (None, ZERO):
            return
        self._refs.delete(repo, ref, actor=actor)
        self._issues.record(self._issues.get(repo, number), actor, "head_ref_deleted")

    def reopen(self, repo: Repository, number: int, *, actor: Actor) -> Issue:
        pull = self.get(repo, number)
        if pull.merged:
            raise Invalid("state cannot be changed. The pull request is merged.", resource="PullRequest")
        now_at = self._repos.git(repo).resolve(f"refs/heads/{pull.head_ref}")
        if now_at is None:
            raise Invalid(f"state cannot be changed. The {pull.head_ref} branch has been deleted.", field="state")
        with self._store.transaction():
            issue = self._issues.get(repo, number)
            if issue.state == "closed":
                self._refuse_second(repo, pull.head_ref, pull.base_ref)
            self._store.save(replace(pull, head_sha=now_at))
            self._repos.git(repo).set_ref(f"refs/pull/{number}/head", now_at)
            return self._issues.reopen(repo, number, actor=actor)

    def review(
        self, repo: Repository, number: int, *, actor: Actor, event: str, body: str = "", commit: str | None = None
    ) -> Review:
        """`event` is APPROVE, REQUEST_CHANGES or COMMENT."""
        self._access.require(actor, repo, role="read")
        if event not in EVENTS:
            raise Invalid(resource="PullRequestReview", field="event")
        if event != "APPROVE" and not body.strip():
            raise Invalid(resource="PullRequestReview", field="body", code="missing_field")
        check_body(body)
        with self._store.transaction():
            issue, pull = self._issues.get(repo, number), self.get(repo, number)
            if actor.login == issue.author and event != "COMMENT":
                raise Invalid(f"Can not {event.lower().replace('_', ' ')} your own pull request")
            review = self._store.add(
                Review(
                    repo_id=repo.id,
                    number=number,
                    author=actor.login,
                    state=EVENTS[event],
                    body=body,
                    commit_id=commit or pull.head_sha,
                    submitted_at=self._store.now(),
                )
            )
            issue = self._store.save(replace(issue, updated_at=self._store.now()))
            self._notices.review(repo, issue, review, actor)
        return review

    def _refuse_second(self, repo: Repository, head_ref: str, base_ref: str) -> None:
        for pull in self._store.all(PullRequest, repo_id=repo.id, head_ref=head_ref, base_ref=base_ref):
            if self._issues.get(repo, pull.number).state == "open":
                raise Invalid(
                    f"A pull request already exists for {repo.owner}:{head_ref}.", resource="PullRequest", code="custom"
                )

    def _base_now(self, repo: Repository, pull: PullRequest) -> str:
        """A merged one is shown against the base that it was merged into."""
        tip = None if pull.merged else self._repos.git(repo).resolve(f"refs/heads/{pull.base_ref}")
        return tip or pull.base_sha


def _merge_message(
    repo: Repository, issue: Issue, pull: PullRequest, method: str, title: str | None, message: str | None
) -> str:
    """GitHub's default texts."""
    if method == "squash":
        subject, body = f"{issue.title} (#{issue.number})", ""
    else:
        subject = f"Merge pull request #{issue.number} from {repo.owner}/{pull.head_ref}"
        body = issue.title
    return f"{title or subject}\n\n{body if message is None else message}".rstrip() + "\n"
