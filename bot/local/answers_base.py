"""The parts of GitHub's JSON that occur everywhere: people, apps, repositories, times, addresses."""

import base64
from datetime import datetime
from typing import Any

from bot.local.access import COARSE, ROLES, Access
from bot.local.repos import Repos
from bot.local.rows import App, Installation, Issue, Repository, Row, User
from bot.local.store import Store

Json = dict[str, Any]

PERMISSIONS = {
    "metadata": "read",
    "contents": "write",
    "issues": "write",
    "pull_requests": "write",
    "actions": "write",
    "checks": "write",
}
EVENTS = (
    "check_run",
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_review",
    "push",
    "workflow_run",
)
# Each of these is in a repository's JSON as <name>_url.
REPOSITORY_PATHS = {
    "archive": "/{archive_format}{/ref}",
    "assignees": "/assignees{/user}",
    "blobs": "/git/blobs{/sha}",
    "branches": "/branches{/branch}",
    "collaborators": "/collaborators{/collaborator}",
    "comments": "/comments{/number}",
    "commits": "/commits{/sha}",
    "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}",
    "contributors": "/contributors",
    "deployments": "/deployments",
    "downloads": "/downloads",
    "events": "/events",
    "forks": "/forks",
    "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "hooks": "/hooks",
    "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}",
    "keys": "/keys{/key_id}",
    "labels": "/labels{/name}",
    "languages": "/languages",
    "merges": "/merges",
    "milestones": "/milestones{/number}",
    "notifications": "/notifications{?since,all,participating}",
    "pulls": "/pulls{/number}",
    "releases": "/releases{/id}",
    "stargazers": "/stargazers",
    "statuses": "/statuses/{sha}",
    "subscribers": "/subscribers",
    "subscription": "/subscription",
    "tags": "/tags",
    "teams": "/teams",
    "trees": "/git/trees{/sha}",
}
USER_PATHS = {
    "followers": "/followers",
    "following": "/following{/other_user}",
    "gists": "/gists{/gist_id}",
    "starred": "/starred{/owner}{/repo}",
    "subscriptions": "/subscriptions",
    "organizations": "/orgs",
    "repos": "/repos",
    "events": "/events{/privacy}",
    "received_events": "/received_events",
}


def stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def maybe_stamp(time: datetime | None) -> str | None:
    return stamp(time) if time else None


def node_id(kind: str, key: object) -> str:
    return base64.b64encode(f"0:{kind}{key}".encode()).decode()


class AnswerBase:
    def __init__(self, store: Store, repos: Repos, access: Access, *, url: str) -> None:
        self.store = store
        self.repos = repos
        self.access = access
        self.html = url
        self.api = f"{url}/api/v3"

    def repo_api(self, repo: Repository) -> str:
        return f"{self.api}/repos/{repo.full_name}"

    def repo_html(self, repo: Repository) -> str:
        return f"{self.html}/{repo.full_name}"

    def user(self, login: str) -> Json:
        user = self.store.get(User, login=login)
        api, html = f"{self.api}/users/{login}", f"{self.html}/{login}"
        if user.is_bot:
            html = f"{self.html}/apps/{login.removesuffix('[bot]')}"
        return {
            "login": login,
            "id": user.id,
            "node_id": node_id("User", user.id),
            "avatar_url": f"{self.html}/avatars/{user.id}",
            "gravatar_id": "",
            "url": api,
            "html_url": html,
            **{f"{name}_url": f"{api}{path}" for name, path in USER_PATHS.items()},
            "type": "Bot" if user.is_bot else "User",
            "user_view_type": "public",
            "site_admin": False,
        }

    def maybe_user(self, login: str | None) -> Json | None:
        return self.user(login) if login else None

    def whole_user(self, login: str) -> Json:
        user = self.store.get(User, login=login)
        unknown = dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio", "twitter_username"))
        counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
        times = {"created_at": stamp(user.created_at), "updated_at": stamp(user.created_at)}
        return {**self.user(login), **unknown, **counts, **times}

    def association(self, login: str, repo: Repository) -> str:
        if login == repo.owner:
            return "OWNER"
        return "COLLABORATOR" if self.access.is_collaborator(login, repo) else "NONE"

    def permission(self, login: str, repo: Repository) -> Json:
        role = self.access.role(login, repo)
        return {
            "permission": COARSE.get(role, role),
            "role_name": role,
            "user": {**self.user(login), "role_name": role, "permissions": self.permissions(role)},
        }

    def permissions(self, role: str) -> dict[str, bool]:
        names = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
        return {name: ROLES.index(role) >= ROLES.index(needed) for name, needed in names.items()}

    def app(self, app: App) -> Json:
        return {
            "id": app.id,
            "slug": app.slug,
            "client_id": app.client_id,
            "node_id": node_id("Integration", app.id),
            "owner": self.user(app.owner),
            "name": app.slug,
            "description": "",
            "external_url": self.html,
            "html_url": f"{self.html}/apps/{app.slug}",
            "created_at": stamp(app.created_at),
            "updated_at": stamp(app.created_at),
            "permissions": PERMISSIONS,
            "events": list(EVENTS),
        }

    def maybe_app(self, app_id: int | None) -> Json | None:
        return self.app(self.store.get(App, id=app_id)) if app_id else None

    def installation(self, installation: Installation) -> Json:
        app = self.store.get(App, id=installation.app_id)
        return {
            "id": installation.id,
            "account": self.user(installation.account),
            "repository_selection": "selected",
            "access_tokens_url": f"{self.api}/app/installations/{installation.id}/access_tokens",
            "repositories_url": f"{self.api}/installation/repositories",
            "html_url": f"{self.html}/settings/installations/{installation.id}",
            "app_id": app.id,
            "app_slug": app.slug,
            "client_id": app.client_id,
            "target_id": self.store.get(User, login=installation.account).id,
            "target_type": "User",
            "permissions": PERMISSIONS,
            "events": list(EVENTS),
            "created_at": stamp(installation.created_at),
            "updated_at": stamp(installation.created_at),
            "single_file_name": None,
            "has_multiple_single_files": False,
            "single_file_paths": [],
            "suspended_by": None,
            "suspended_at": None,
        }

    def minimal_repository(self, repo: Repository) -> Json:
        api, html = self.repo_api(repo), self.repo_html(repo)
        return {
            "id": repo.id,
            "node_id": node_id("Repository", repo.id),
            "name": repo.name,
            "full_name": repo.full_name,
            "owner": self.user(repo.owner),
            "private": repo.private,
            "html_url": html,
            "description": repo.description or None,
            "fork": False,
            "url": api,
            **{f"{name}_url": f"{api}{path}" for name, path in REPOSITORY_PATHS.items()},
        }

    def repository(self, repo: Repository) -> Json:
        html = self.repo_html(repo)
        issues = self.store.count(Issue, repo_id=repo.id, state="open")
        return {
            **self.minimal_repository(repo),
            "git_url": f"git:{html.partition(':')[2]}.git",
            "ssh_url": f"git@localhost:{repo.full_name}.git",
            "clone_url": f"{html}.git",
            "svn_url": html,
            "mirror_url": None,
            "homepage": None,
            "language": None,
            "license": None,
            **dict.fromkeys(("forks", "forks_count", "size"), 0),
            **dict.fromkeys(("stargazers_count", "watchers", "watchers_count"), 0),
            "open_issues": issues,
            "open_issues_count": issues,
            "default_branch": repo.default_branch,
            "is_template": False,
            "topics": [],
            **dict.fromkeys(("has_issues", "has_projects", "has_wiki"), True),
            **dict.fromkeys(("has_pages", "has_discussions", "has_downloads"), False),
            **dict.fromkeys(("archived", "disabled"), False),
            "visibility": "private" if repo.private else "public",
            "pushed_at": stamp(repo.pushed_at),
            "created_at": stamp(repo.created_at),
            "updated_at": stamp(repo.pushed_at),
            "allow_forking": True,
            "web_commit_signoff_required": False,
        }

    def full_repository(self, repo: Repository, login: str) -> Json:
        return {
            **self.repository(repo),
            "permissions": self.permissions(self.access.role(login, repo)),
            **dict.fromkeys(("allow_merge_commit", "allow_squash_merge", "allow_rebase_merge"), True),
            **dict.fromkeys(("allow_auto_merge", "allow_update_branch"), False),
            "delete_branch_on_merge": repo.delete_branch_on_merge,
            **dict.fromkeys(("subscribers_count", "network_count"), 0),
        }

    def kind_node(self, row: Row) -> str:
        return node_id(type(row).__name__, row.id)
