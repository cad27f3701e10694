"""GitHub's JSON for issues: labels, comments, reactions, timeline."""

from bot.local.answers_base import AnswerBase, Json, maybe_stamp, stamp
from bot.local.rows import REACTIONS, Comment, Issue, Label, PullRequest, Reaction, Repository, TimelineEvent


class IssueAnswers(AnswerBase):
    def label(self, repo: Repository, label: Label) -> Json:
        return {
            "id": label.id,
            "node_id": self.kind_node(label),
            "url": f"{self.repo_api(repo)}/labels/{label.name}",
            "name": label.name,
            "color": label.color,
            "default": False,
            "description": label.description or None,
            "archived_at": None,
            "archived_by": None,
        }

    def labels(self, repo: Repository, issue: Issue) -> list[Json]:
        known = {label.name: label for label in self.store.all(Label, repo_id=repo.id)}
        return [self.label(repo, known[name]) for name in issue.labels if name in known]

    def issue(self, repo: Repository, issue: Issue) -> Json:
        url = f"{self.repo_api(repo)}/issues/{issue.number}"
        html = f"{self.repo_html(repo)}/{'pull' if issue.is_pull else 'issues'}/{issue.number}"
        assignees = [self.user(login) for login in issue.assignees]
        return {
            "id": issue.id,
            "node_id": self.kind_node(issue),
            "url": url,
            "repository_url": self.repo_api(repo),
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "timeline_url": f"{url}/timeline",
            "html_url": html,
            "number": issue.number,
            "title": issue.title,
            "body": issue.body or None,
            "user": self.user(issue.author),
            "author_association": self.association(issue.author, repo),
            "labels": self.labels(repo, issue),
            "state": issue.state,
            "state_reason": issue.state_reason,
            "assignee": assignees[0] if assignees else None,
            "assignees": assignees,
            "milestone": None,
            "locked": False,
            "active_lock_reason": None,
            "comments": self.store.count(Comment, repo_id=repo.id, number=issue.number),
            "created_at": stamp(issue.created_at),
            "updated_at": stamp(issue.updated_at),
            "closed_at": maybe_stamp(issue.closed_at),
            "closed_by": self.maybe_user(issue.closed_by),
            "performed_via_github_app": self.maybe_app(issue.app_id),
            "reactions": self.rollup(f"{url}/reactions", "issue", issue.id),
            **({"pull_request": self._pull_link(repo, issue)} if issue.is_pull else {}),
        }

    def _pull_link(self, repo: Repository, issue: Issue) -> Json:
        pull = self.store.get(PullRequest, repo_id=repo.id, number=issue.number)
        html = f"{self.repo_html(repo)}/pull/{issue.number}"
        return {
            "url": f"{self.repo_api(repo)}/pulls/{issue.number}",
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "merged_at": maybe_stamp(pull.merged_at),
        }

    def rollup(self, url: str, subject: str, subject_id: int) -> Json:
        there = [reaction.content for reaction in self.store.all(Reaction, subject=subject, subject_id=subject_id)]
        counts = {content: there.count(content) for content in REACTIONS}
        return {"url": url, "total_count": len(there), **counts}

    def reaction(self, reaction: Reaction) -> Json:
        return {
            "id": reaction.id,
            "node_id": self.kind_node(reaction),
            "user": self.user(reaction.login),
            "content": reaction.content,
            "created_at": stamp(reaction.created_at),
        }

    def comment(self, repo: Repository, comment: Comment) -> Json:
        issue = self.store.get(Issue, repo_id=repo.id, number=comment.number)
        url = f"{self.repo_api(repo)}/issues/comments/{comment.id}"
        page = "pull" if issue.is_pull else "issues"
        return {
            "id": comment.id,
            "node_id": self.kind_node(comment),
            "url": url,
            "html_url": f"{self.repo_html(repo)}/{page}/{comment.number}#issuecomment-{comment.id}",
            "issue_url": f"{self.repo_api(repo)}/issues/{comment.number}",
            "body": comment.body,
            "user": self.user(comment.author),
            "author_association": self.association(comment.author, repo),
            "created_at": stamp(comment.created_at),
            "updated_at": stamp(comment.updated_at),
            "performed_via_github_app": self.maybe_app(comment.app_id),
            "reactions": self.rollup(f"{url}/reactions", "comment", comment.id),
        }

    def commented(self, repo: Repository, comment: Comment) -> Json:
        """A comment, as a line of the timeline."""
        return {**self.comment(repo, comment), "event": "commented", "actor": self.user(comment.author)}

    def timeline_event(self, repo: Repository, event: TimelineEvent) -> Json:
        details: Json = {}
        if event.event in ("labeled", "unlabeled"):
            label = self.store.find(Label, repo_id=repo.id, name=event.subject)
            details["label"] = {"name": event.subject, "color": label.color if label else "ededed"}
        elif event.event in ("assigned", "unassigned"):
            details["assignee"] = self.user(event.subject)
        elif event.event == "renamed":
            details["rename"] = {"from": event.former, "to": event.subject}
        elif event.event in ("closed", "reopened"):
            details["state_reason"] = event.state_reason
        commit = event.commit_id
        return {
            "id": event.id,
            "node_id": self.kind_node(event),
            "url": f"{self.repo_api(repo)}/issues/events/{event.id}",
            "actor": self.user(event.actor),
            "event": event.event,
            "commit_id": commit,
            "commit_url": f"{self.repo_api(repo)}/commits/{commit}" if commit else None,
            "created_at": stamp(event.created_at),
            "performed_via_github_app": self.maybe_app(event.app_id),
            **details,
        }
