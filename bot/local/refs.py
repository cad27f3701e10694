"""Branches: made, moved and deleted, with what follows for the pull requests that show them.

A ref moves within the store's transaction, so that whoever looks back sees both as they were.
"""

from dataclasses import replace

from bot.local.access import Access, Actor
from bot.local.git import MODE_FILE, ZERO, RefMoved, Signature
from bot.local.issues import Issues
from bot.local.notices import Notices
from bot.local.refusals import Conflict, Invalid, NotFound
from bot.local.repos import Repos
from bot.local.rows import Issue, PullRequest, Repository
from bot.local.store import Store


class Refs:
    def __init__(self, store: Store, repos: Repos, access: Access, notices: Notices, issues: Issues) -> None:
        self._store = store
        self._issues = issues
        self._repos = repos
        self._access = access
        self._notices = notices

    def signature(self, actor: Actor) -> Signature:
        return Signature(actor.login, f"{actor.login}@users.noreply.localhost", self._store.now())

    def create(self, repo: Repository, ref: str, sha: str, *, actor: Actor) -> None:
        """`ref` is a full name: refs/heads/…"""
        self._access.require(actor, repo)
        git = self._repos.git(repo)
        if not ref.startswith("refs/") or ref.count("/") < 2:
            raise Invalid("Reference name must start with 'refs/' and contain at least two slashes.")
        if git.commit(sha) is None:
            raise Invalid("Object does not exist")
        with self._store.transaction():
            try:
                git.set_ref(ref, sha, old=ZERO)
            except RefMoved as error:
                there = git.resolve(ref) is not None
                raise Invalid("Reference already exists" if there else "Reference name is not valid") from error
            self._pushed(repo, ref, ZERO, sha, actor)

    def move(self, repo: Repository, ref: str, sha: str, *, actor: Actor, force: bool = False) -> None:
        self._access.require(actor, repo)
        git = self._repos.git(repo)
        old = git.resolve(ref)
        if old is None:
            raise Invalid("Reference does not exist")
        if git.commit(sha) is None:
            raise Invalid("Object does not exist")
        if not force and not git.is_ancestor(old, sha):
            raise Invalid("Update is not a fast forward")
        with self._store.transaction():
            try:
                git.set_ref(ref, sha, old=old)
            except RefMoved as error:
                raise Invalid("Update is not a fast forward") from error
            if sha != old:
                self._pushed(repo, ref, old, sha, actor)

    def delete(self, repo: Repository, ref: str, *, actor: Actor) -> None:
        """Open pull requests of the branch are closed by it."""
        self._access.require(actor, repo)
        git = self._repos.git(repo)
        old = git.resolve(ref)
        if old is None:
            raise Invalid("Reference does not exist")
        if ref == f"refs/heads/{repo.default_branch}":
            raise Invalid("Cannot delete the default branch")
        with self._store.transaction():
            git.delete_ref(ref)
            self._pushed(repo, ref, old, ZERO, actor)

    def edit_file(
        self,
        repo: Repository,
        path: str,
        content: bytes,
        *,
        actor: Actor,
        message: str,
        branch: str,
        sha: str | None = None,
    ) -> str:
        """One commit with the whole new content; `sha` is the blob that it replaces. Answers the commit."""
        self._access.require(actor, repo)
        git = self._repos.git(repo)
        head = git.commit(f"refs/heads/{branch}")
        if head is None:
            raise NotFound(f"Branch {branch} not found")
        there = git.read(f"{head.sha}:{path}")
        if there and sha is None:
            raise Invalid('Invalid request.\n\n"sha" wasn\'t supplied.')
        if there and sha != there[0]:
            raise Conflict(f"{path} does not match {sha}")
        tree = git.write_tree({path: (MODE_FILE, git.write_blob(content))}, base=head.tree)
        commit = git.write_commit(tree=tree, parents=(head.sha,), message=message, author=self.signature(actor))
        self.move(repo, f"refs/heads/{branch}", commit, actor=actor)
        return commit

    def _pushed(self, repo: Repository, ref: str, before: str, after: str, actor: Actor) -> None:
        self._store.save(replace(repo, pushed_at=self._store.now()))
        self._notices.push(repo, ref, before, after, actor)
        if ref.startswith("refs/heads/"):
            for pull in self._store.all(PullRequest, repo_id=repo.id, head_ref=ref.removeprefix("refs/heads/")):
                self._follow(repo, pull, before, after, actor)

    def _follow(self, repo: Repository, pull: PullRequest, before: str, after: str, actor: Actor) -> None:
        """An open pull request shows what its branch shows."""
        issue = self._store.get(Issue, repo_id=repo.id, number=pull.number)
        if issue.state != "open":
            return
        if after == ZERO:
            self._issues.mark_closed(repo, issue, actor=actor, reason=None)
            return
        self._repos.git(repo).set_ref(f"refs/pull/{pull.number}/head", after)
        self._store.save(replace(pull, head_sha=after))
        touched = self._store.save(replace(issue, updated_at=self._store.now()))
        self._notices.synchronize(repo, touched, before, after, actor)
