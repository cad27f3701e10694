"""The folder of bare repositories, and what GitHub does in them by itself: first commits, merges, one-file edits."""

import threading
from collections.abc import Mapping
from pathlib import Path

from bot.local.git import MODE_FILE, Git, GitError, Signature
from bot.local.refusals import NotAllowed
from bot.local.rows import PullRequest, Repository


class Repos:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: dict[str, Git] = {}

    def git(self, repo: Repository) -> Git:
        with self._lock:
            if repo.full_name not in self._open:
                self._open[repo.full_name] = Git(self.path(repo))
            return self._open[repo.full_name]

    def path(self, repo: Repository) -> Path:
        return self._folder / repo.owner / f"{repo.name}.git"

    def resolve(self, repo: Repository, name: str) -> str | None:
        """The sha that a branch, a tag, a full ref or a sha stands for."""
        git = self.git(repo)
        for candidate in (f"refs/heads/{name}", f"refs/tags/{name}", f"refs/{name}", name):
            commit = git.commit(candidate)
            if commit:
                return commit.sha
        return None

    def create(self, repo: Repository, *, files: Mapping[str, bytes], author: Signature) -> str:
        """A new repository with these files in its first commit, whose sha is answered."""
        git = Git.create(self.path(repo), default_branch=repo.default_branch)
        tree = git.write_tree({path: (MODE_FILE, git.write_blob(content)) for path, content in files.items()})
        first = git.write_commit(tree=tree, parents=(), message="Initial commit", author=author)
        git.set_ref(f"refs/heads/{repo.default_branch}", first)
        git.close()
        return first

    def close(self) -> None:
        with self._lock:
            for git in self._open.values():
                git.close()
            self._open.clear()

    # Merging

    def merged_tree(self, repo: Repository, base: str, head: str) -> str | None:
        """The tree of a merge, or None where they conflict."""
        try:
            return self.git(repo).run("merge-tree", "--write-tree", base, head).split()[0]
        except GitError:
            return None

    def mergeable(self, repo: Repository, pull: PullRequest) -> bool | None:
        """Whether it merges into its base as that is now."""
        base = self.git(repo).resolve(f"refs/heads/{pull.base_ref}")
        return base is not None and self.merged_tree(repo, base, pull.head_sha) is not None

    def merge(self, repo: Repository, *, method: str, base: str, head: str, message: str, author: Signature) -> str:
        """Makes the commit (or commits) that the base branch is to point to."""
        if method == "rebase":
            return self._rebase(repo, base=base, head=head, committer=author)
        tree = self.merged_tree(repo, base, head)
        if tree is None:
            raise NotAllowed
        parents = (base,) if method == "squash" else (base, head)
        return self.git(repo).write_commit(tree=tree, parents=parents, message=message, author=author)

    def _rebase(self, repo: Repository, *, base: str, head: str, committer: Signature) -> str:
        git = self.git(repo)
        onto = base
        for sha in git.between(base, head):
            commit = git.commit(sha)
            assert commit
            if len(commit.parents) != 1:
                raise NotAllowed("This branch can't be rebased")
            # A cherry-pick: our side as a child of the commit's parent makes that parent the merge base.
            ours = git.commit(onto)
            assert ours
            side = git.write_commit(tree=ours.tree, parents=commit.parents, message="", author=committer)
            tree = self.merged_tree(repo, side, sha)
            if tree is None:
                raise NotAllowed("This branch can't be rebased due to conflicts")
            onto = git.write_commit(
                tree=tree, parents=(onto,), message=commit.message, author=commit.author, committer=committer
            )
        return onto
