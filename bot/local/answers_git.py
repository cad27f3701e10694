"""GitHub's JSON for git data, commits, contents and comparisons."""

import base64

from bot.local.answers_base import AnswerBase, Json, node_id, stamp
from bot.local.git import Commit, Entry, FileChange, Signature
from bot.local.rows import Repository, User


class GitAnswers(AnswerBase):
    def ref(self, repo: Repository, ref: str, sha: str) -> Json:
        api = self.repo_api(repo)
        return {
            "ref": ref,
            "node_id": node_id("Ref", ref),
            "url": f"{api}/git/{ref}",
            "object": {"sha": sha, "type": "commit", "url": f"{api}/git/commits/{sha}"},
        }

    def blob(self, repo: Repository, sha: str, content: bytes) -> Json:
        return {
            "sha": sha,
            "node_id": node_id("Blob", sha),
            "size": len(content),
            "url": f"{self.repo_api(repo)}/git/blobs/{sha}",
            "content": base64.encodebytes(content).decode(),
            "encoding": "base64",
        }

    def tree(self, repo: Repository, sha: str, entries: list[Entry]) -> Json:
        api = f"{self.repo_api(repo)}/git"
        lines = [
            {
                "path": entry.path,
                "mode": entry.mode,
                "type": entry.kind,
                "sha": entry.sha,
                **({"size": entry.size} if entry.size is not None else {}),
                "url": f"{api}/{entry.kind}s/{entry.sha}",
            }
            for entry in entries
        ]
        return {"sha": sha, "url": f"{api}/trees/{sha}", "tree": lines, "truncated": False}

    def git_commit(self, repo: Repository, commit: Commit) -> Json:
        """A commit as git data: without people and files."""
        api, html = self.repo_api(repo), self.repo_html(repo)
        return {
            "sha": commit.sha,
            "node_id": node_id("Commit", commit.sha),
            "url": f"{api}/git/commits/{commit.sha}",
            "html_url": f"{html}/commit/{commit.sha}",
            "author": _signature(commit.author),
            "committer": _signature(commit.committer),
            "message": commit.message.rstrip("\n"),
            "tree": {"sha": commit.tree, "url": f"{api}/git/trees/{commit.tree}"},
            "parents": [self._parent(repo, sha, "git/commits") for sha in commit.parents],
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "signature": None,
                "payload": None,
                "verified_at": None,
            },
        }

    def commit(self, repo: Repository, commit: Commit, *, files: list[FileChange] | None = None) -> Json:
        api, data = self.repo_api(repo), self.git_commit(repo, commit)
        inner = {name: data[name] for name in ("author", "committer", "message", "tree", "url", "verification")}
        answer = {
            "sha": commit.sha,
            "node_id": data["node_id"],
            "url": f"{api}/commits/{commit.sha}",
            "html_url": data["html_url"],
            "comments_url": f"{api}/commits/{commit.sha}/comments",
            "commit": {**inner, "comment_count": 0},
            "author": self._person(commit.author),
            "committer": self._person(commit.committer),
            "parents": [self._parent(repo, sha, "commits") for sha in commit.parents],
        }
        if files is not None:
            additions, deletions = sum(file.additions for file in files), sum(file.deletions for file in files)
            answer["stats"] = {"additions": additions, "deletions": deletions, "total": additions + deletions}
            answer["files"] = [self.file(repo, commit.sha, file) for file in files]
        return answer

    def simple_commit(self, commit: Commit) -> Json:
        """As in a workflow run and in a push."""
        people = {
            role: {"name": signature.name, "email": signature.email}
            for role, signature in (("author", commit.author), ("committer", commit.committer))
        }
        return {
            "id": commit.sha,
            "tree_id": commit.tree,
            "message": commit.message.rstrip("\n"),
            "timestamp": stamp(commit.committer.date),
            **people,
        }

    def file(self, repo: Repository, head: str, file: FileChange) -> Json:
        html = self.repo_html(repo)
        return {
            "sha": file.sha,
            "filename": file.path,
            "status": file.status,
            "additions": file.additions,
            "deletions": file.deletions,
            "changes": file.additions + file.deletions,
            "blob_url": f"{html}/blob/{head}/{file.path}",
            "raw_url": f"{html}/raw/{head}/{file.path}",
            "contents_url": f"{self.repo_api(repo)}/contents/{file.path}?ref={head}",
            **({"patch": file.patch} if file.patch is not None else {}),
            **({"previous_filename": file.former_path} if file.former_path else {}),
        }

    def content(self, repo: Repository, ref: str, path: str, sha: str, content: bytes) -> Json:
        entry = Entry(path=path, mode="100644", kind="blob", sha=sha, size=len(content))
        return {
            **self.content_entry(repo, ref, entry),
            "encoding": "base64",
            "content": base64.encodebytes(content).decode(),
        }

    def content_entry(self, repo: Repository, ref: str, entry: Entry) -> Json:
        api, html = self.repo_api(repo), self.repo_html(repo)
        kind = "dir" if entry.kind == "tree" else "file"
        url = f"{api}/contents/{entry.path}?ref={ref}"
        git_url = f"{api}/git/{entry.kind}s/{entry.sha}"
        html_url = f"{html}/{'tree' if kind == 'dir' else 'blob'}/{ref}/{entry.path}"
        return {
            "type": kind,
            "name": entry.path.rsplit("/", 1)[-1],
            "path": entry.path,
            "sha": entry.sha,
            "size": entry.size or 0,
            "url": url,
            "git_url": git_url,
            "html_url": html_url,
            "download_url": None if kind == "dir" else f"{html}/raw/{ref}/{entry.path}",
            "_links": {"self": url, "git": git_url, "html": html_url},
        }

    def comparison(self, repo: Repository, base: Commit, head: Commit, spec: str) -> Json:
        git = self.repos.git(repo)
        start = git.commit(git.merge_base(base.sha, head.sha) or base.sha)
        assert start
        ahead, behind = git.between(base.sha, head.sha), git.between(head.sha, base.sha)
        status = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}
        html = f"{self.repo_html(repo)}/compare/{spec}"
        commits = [commit for commit in map(git.commit, ahead) if commit]
        return {
            "url": f"{self.repo_api(repo)}/compare/{spec}",
            "html_url": html,
            "permalink_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "base_commit": self.commit(repo, base),
            "merge_base_commit": self.commit(repo, start),
            "status": status.get((bool(ahead), bool(behind)), "identical"),
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "commits": [self.commit(repo, commit) for commit in commits],
            "files": [self.file(repo, head.sha, file) for file in git.changes(start.sha, head.sha)],
        }

    def _parent(self, repo: Repository, sha: str, route: str) -> Json:
        html = f"{self.repo_html(repo)}/commit/{sha}"
        return {"sha": sha, "url": f"{self.repo_api(repo)}/{route}/{sha}", "html_url": html}

    def _person(self, signature: Signature) -> Json | None:
        """GitHub finds the account by its address; ours bear the login as their name."""
        known = self.store.find(User, login=signature.name)
        return self.user(known.login) if known else None


def _signature(signature: Signature) -> Json:
    return {"name": signature.name, "email": signature.email, "date": stamp(signature.date)}
