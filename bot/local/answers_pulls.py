"""GitHub's JSON for pull requests and reviews."""

from bot.local.answers_base import Json, maybe_stamp, stamp
from bot.local.answers_issues import IssueAnswers
from bot.local.rows import Comment, Issue, PullRequest, Repository, Review


class PullAnswers(IssueAnswers):
    def pull(self, repo: Repository, issue: Issue) -> Json:
        """As in lists."""
        pull = self.store.get(PullRequest, repo_id=repo.id, number=issue.number)
        whole = self.issue(repo, issue)
        url, issue_url = f"{self.repo_api(repo)}/pulls/{issue.number}", whole["url"]
        html = whole["html_url"]
        links = {
            "self": url,
            "html": html,
            "issue": issue_url,
            "comments": f"{issue_url}/comments",
            "review_comments": f"{url}/comments",
            "review_comment": f"{self.repo_api(repo)}/pulls/comments{{/number}}",
            "commits": f"{url}/commits",
            "statuses": f"{self.repo_api(repo)}/statuses/{pull.head_sha}",
        }
        shared = ("number", "title", "body", "user", "author_association", "labels", "state", "assignee", "assignees")
        more = ("milestone", "locked", "active_lock_reason", "created_at", "updated_at", "closed_at")
        return {
            **{name: whole[name] for name in (*shared, *more)},
            "id": pull.id,
            "node_id": self.kind_node(pull),
            "url": url,
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "issue_url": issue_url,
            **{f"{name}_url": links[name] for name in links if name not in ("self", "html", "issue")},
            "_links": {name: {"href": link} for name, link in links.items()},
            "merged_at": maybe_stamp(pull.merged_at),
            "merge_commit_sha": pull.merge_commit_sha,
            "head": self._side(repo, pull.head_ref, pull.head_sha),
            "base": self._side(repo, pull.base_ref, pull.base_sha),
            "draft": pull.draft,
            "auto_merge": None,
            "requested_reviewers": [],
            "requested_teams": [],
        }

    def whole_pull(self, repo: Repository, issue: Issue, *, computed: bool = True) -> Json:
        """As on its own: with mergeability, once that is computed, and the size of the change."""
        pull = self.store.get(PullRequest, repo_id=repo.id, number=issue.number)
        git = self.repos.git(repo)
        start = git.merge_base(pull.base_sha, pull.head_sha) or pull.base_sha
        files = git.changes(start, pull.head_sha)
        mergeable = None if pull.merged or not computed else self.repos.mergeable(repo, pull)
        states = {True: "clean", False: "dirty", None: "unknown"}
        return {
            **self.pull(repo, issue),
            "merged": pull.merged,
            "merged_by": self.maybe_user(pull.merged_by),
            "mergeable": mergeable,
            "mergeable_state": states[mergeable],
            "rebaseable": mergeable,
            "comments": self.store.count(Comment, repo_id=repo.id, number=issue.number),
            "review_comments": 0,
            "maintainer_can_modify": False,
            "commits": len(git.between(pull.base_sha, pull.head_sha)),
            "additions": sum(file.additions for file in files),
            "deletions": sum(file.deletions for file in files),
            "changed_files": len(files),
        }

    def minimal_pull(self, repo: Repository, pull: PullRequest) -> Json:
        where = {"id": repo.id, "url": self.repo_api(repo), "name": repo.name}
        return {
            "id": pull.id,
            "number": pull.number,
            "url": f"{self.repo_api(repo)}/pulls/{pull.number}",
            "head": {"ref": pull.head_ref, "sha": pull.head_sha, "repo": where},
            "base": {"ref": pull.base_ref, "sha": pull.base_sha, "repo": where},
        }

    def review(self, repo: Repository, review: Review) -> Json:
        html = f"{self.repo_html(repo)}/pull/{review.number}"
        url = f"{self.repo_api(repo)}/pulls/{review.number}"
        return {
            "id": review.id,
            "node_id": self.kind_node(review),
            "user": self.user(review.author),
            "body": review.body,
            "state": review.state,
            "html_url": f"{html}#pullrequestreview-{review.id}",
            "pull_request_url": url,
            "_links": {"html": {"href": html}, "pull_request": {"href": url}},
            "submitted_at": stamp(review.submitted_at),
            "commit_id": review.commit_id,
            "author_association": self.association(review.author, repo),
        }

    def _side(self, repo: Repository, ref: str, sha: str) -> Json:
        owner = self.user(repo.owner)
        return {
            "label": f"{repo.owner}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": owner,
            "repo": {**self.repository(repo), "delete_branch_on_merge": repo.delete_branch_on_merge},
        }
