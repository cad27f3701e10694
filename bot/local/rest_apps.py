"""Routes: apps, installations and their tokens; the user; the repository and who may do what in it."""

from pydantic import BaseModel

from bot.local.answers_base import PERMISSIONS, Json, stamp
from bot.local.refusals import Forbidden, NotFound
from bot.local.rest_base import Caller, CallingApp, Here, Paging, TheHub, new_router
from bot.local.rows import Installation, Repository, User

router = new_router()
in_repo = new_router()


class Narrowing(BaseModel):
    repositories: list[str] | None = None
    repository_ids: list[int] | None = None


@router.get("/app")
def app(app: CallingApp, hub: TheHub) -> Json:
    return {**hub.answers.app(app), "installations_count": len(hub.accounts.installations(app))}


@router.get("/app/installations")
def app_installations(app: CallingApp, hub: TheHub, page: Paging) -> list[Json]:
    return [hub.answers.installation(one) for one in page.cut(hub.accounts.installations(app))]


@router.get("/app/installations/{installation_id}")
def app_installation(app: CallingApp, hub: TheHub, installation_id: int) -> Json:
    return hub.answers.installation(hub.store.get(Installation, app_id=app.id, id=installation_id))


@router.post("/app/installations/{installation_id}/access_tokens", status_code=201)
def access_tokens(app: CallingApp, hub: TheHub, installation_id: int, narrowing: Narrowing | None = None) -> Json:
    installation = hub.store.get(Installation, app_id=app.id, id=installation_id)
    narrowed = _narrowed(hub, installation, narrowing or Narrowing())
    token = hub.accounts.installation_token(installation, repository_ids=narrowed)
    assert token.expires_at
    answer: Json = {
        "token": token.token,
        "expires_at": stamp(token.expires_at),
        "permissions": PERMISSIONS,
        "repository_selection": "selected",
    }
    if narrowed is not None:
        found = [hub.store.get(Repository, id=one) for one in narrowed]
        answer["repositories"] = [hub.answers.repository(repo) for repo in found]
    return answer


def _narrowed(hub: TheHub, installation: Installation, narrowing: Narrowing) -> tuple[int, ...] | None:
    if narrowing.repositories is None and narrowing.repository_ids is None:
        return None
    named = [hub.accounts.repository(installation.account, name).id for name in narrowing.repositories or ()]
    return (*named, *(narrowing.repository_ids or ()))


@router.get("/installation/repositories")
def installation_repositories(actor: Caller, hub: TheHub, page: Paging) -> Json:
    if actor.installation is None:
        raise Forbidden("You must authenticate with an installation access token in order to list repositories.")
    seen = [repo for repo in hub.store.all(Repository) if hub.access.sees(actor, repo)]
    rendered = [hub.answers.repository(repo) for repo in page.cut(seen)]
    return {"total_count": len(seen), "repository_selection": "selected", "repositories": rendered}


@router.get("/user")
def user(actor: Caller, hub: TheHub) -> Json:
    if actor.installation is not None:
        raise Forbidden("Resource not accessible by integration")
    return hub.answers.whole_user(actor.login)


@in_repo.get("")
def get_repository(here: Here) -> Json:
    return here.answers.full_repository(here.repo, here.actor.login)


@in_repo.get("/installation")
def repository_installation(app: CallingApp, hub: TheHub, owner: str, repository: str) -> Json:
    repo = hub.accounts.repository(owner, repository)
    return hub.answers.installation(hub.accounts.installation_on(app, repo))


@in_repo.get("/collaborators/{login}/permission")
def permission(here: Here, login: str) -> Json:
    if here.hub.store.find(User, login=login) is None:
        raise NotFound(f"{login} is not a user")
    return here.answers.permission(login, here.repo)
