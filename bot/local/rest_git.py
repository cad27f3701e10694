"""Routes: refs, blobs, trees, commits, contents, comparisons."""

import base64
import binascii

from fastapi import Response
from pydantic import BaseModel

from bot.local.answers_base import Json
from bot.local.git import MODE_FILE, Commit, Entry, Signature
from bot.local.refusals import Invalid, NotFound
from bot.local.rest_base import Here, Listed, Paging, Visit, new_router

in_repo = new_router()


class NewRef(BaseModel):
    ref: str
    sha: str


class RefMove(BaseModel):
    sha: str
    force: bool = False


class NewBlob(BaseModel):
    content: str
    encoding: str = "utf-8"


class TreeLine(BaseModel):
    path: str
    mode: str = MODE_FILE
    type: str = "blob"
    sha: str | None = None
    content: str | None = None


class NewTree(BaseModel):
    tree: list[TreeLine]
    base_tree: str | None = None


class Person(BaseModel):
    name: str
    email: str


class NewCommit(BaseModel):
    message: str
    tree: str
    parents: list[str] = []
    author: Person | None = None
    committer: Person | None = None


class NewContent(BaseModel):
    message: str
    content: str
    sha: str | None = None
    branch: str | None = None


# Refs


@in_repo.get("/git/ref/{ref:path}")
def get_ref(here: Here, ref: str) -> Json:
    sha = here.hub.repos.git(here.repo).resolve(f"refs/{ref}")
    if sha is None:
        raise NotFound
    return here.answers.ref(here.repo, f"refs/{ref}", sha)


@in_repo.get("/git/matching-refs/{ref:path}")
def matching_refs(here: Here, listed: Listed, ref: str, page: Paging) -> list[Json]:
    found = here.hub.repos.git(here.repo).refs(f"refs/{ref}", at=listed.at)
    return [here.answers.ref(here.repo, name, sha) for name, sha in page.cut([*found.items()])]


@in_repo.post("/git/refs", status_code=201)
def create_ref(here: Here, new: NewRef) -> Json:
    here.hub.refs.create(here.repo, new.ref, new.sha, actor=here.actor)
    return here.answers.ref(here.repo, new.ref, new.sha)


@in_repo.patch("/git/refs/{ref:path}")
def move_ref(here: Here, ref: str, move: RefMove) -> Json:
    here.hub.refs.move(here.repo, f"refs/{ref}", move.sha, actor=here.actor, force=move.force)
    return here.answers.ref(here.repo, f"refs/{ref}", move.sha)


@in_repo.delete("/git/refs/{ref:path}", status_code=204)
def delete_ref(here: Here, ref: str) -> Response:
    here.hub.refs.delete(here.repo, f"refs/{ref}", actor=here.actor)
    return Response(status_code=204)


# Objects


@in_repo.get("/git/blobs/{sha}")
def get_blob(here: Here, sha: str) -> Json:
    content = here.hub.repos.git(here.repo).blob(sha)
    if content is None:
        raise NotFound
    return here.answers.blob(here.repo, sha, content)


@in_repo.post("/git/blobs", status_code=201)
def create_blob(here: Here, new: NewBlob) -> Json:
    here.hub.access.require(here.actor, here.repo)
    content = _decoded(new.content) if new.encoding == "base64" else new.content.encode()
    sha = here.hub.repos.git(here.repo).write_blob(content)
    return {"sha": sha, "url": f"{here.answers.repo_api(here.repo)}/git/blobs/{sha}"}


@in_repo.get("/git/trees/{name:path}")
def get_tree(here: Here, name: str, recursive: str | None = None) -> Json:
    """`recursive` counts whatever its value is, as on GitHub."""
    git = here.hub.repos.git(here.repo)
    found = git.read(f"{here.hub.repos.resolve(here.repo, name) or name}^{{tree}}")
    if found is None:
        raise NotFound
    return here.answers.tree(here.repo, found[0], git.tree(found[0], recursive=recursive is not None) or [])


@in_repo.post("/git/trees", status_code=201)
def create_tree(here: Here, new: NewTree) -> Json:
    here.hub.access.require(here.actor, here.repo)
    git = here.hub.repos.git(here.repo)
    if new.base_tree is not None and git.tree(new.base_tree) is None:
        raise Invalid("base_tree is not a valid tree oid")
    changes = {line.path: _tree_change(here, line, new.base_tree) for line in new.tree}
    sha = git.write_tree(changes, base=new.base_tree)
    return here.answers.tree(here.repo, sha, git.tree(sha) or [])


def _tree_change(here: Visit, line: TreeLine, base: str | None) -> tuple[str, str] | None:
    git = here.hub.repos.git(here.repo)
    if any(part in ("", ".", "..", ".git") for part in line.path.split("/")):
        raise Invalid("tree.path contains a malformed path component")
    if line.content is not None:
        return line.mode, git.write_blob(line.content.encode())
    if line.sha is None:
        if base is None or git.read(f"{base}:{line.path}") is None:
            raise Invalid("GitRPC::BadObjectState")
        return None
    if git.read(line.sha) is None:
        raise Invalid(f"tree.sha {line.sha} is not a valid object")
    return line.mode, line.sha


@in_repo.get("/git/commits/{sha}")
def get_git_commit(here: Here, sha: str) -> Json:
    return here.answers.git_commit(here.repo, _commit(here, sha))


@in_repo.post("/git/commits", status_code=201)
def create_commit(here: Here, new: NewCommit) -> Json:
    here.hub.access.require(here.actor, here.repo)
    git = here.hub.repos.git(here.repo)
    if git.tree(new.tree) is None:
        raise Invalid("Tree SHA does not exist")
    if not all(git.commit(parent) for parent in new.parents):
        raise Invalid("Parent SHA does not exist or is not a commit object")
    default = here.hub.refs.signature(here.actor)

    def signature(person: Person | None) -> Signature:
        return Signature(person.name, person.email, default.date) if person else default

    author = signature(new.author)
    committer = signature(new.committer) if new.committer else author
    sha = git.write_commit(tree=new.tree, parents=new.parents, message=new.message, author=author, committer=committer)
    return here.answers.git_commit(here.repo, _commit(here, sha))


# Commits and contents


@in_repo.get("/commits/{ref:path}")
def get_commit(here: Here, ref: str) -> Json:
    commit = _commit(here, ref)
    git = here.hub.repos.git(here.repo)
    files = git.changes(commit.parents[0], commit.sha) if commit.parents else []
    return here.answers.commit(here.repo, commit, files=files)


@in_repo.get("/contents/{path:path}", response_model=None)
def get_contents(here: Here, path: str, ref: str | None = None) -> Json | list[Json]:
    """A file, or the list of a folder."""
    wanted = ref or here.repo.default_branch
    commit, path = _commit(here, wanted), path.strip("/")
    git = here.hub.repos.git(here.repo)
    found = git.read(f"{commit.sha}:{path}")
    if found is None:
        raise NotFound
    sha, kind, content = found
    if kind == "blob":
        return here.answers.content(here.repo, wanted, path, sha, content)
    inside = [_below(path, entry) for entry in git.tree(sha) or []]
    return [here.answers.content_entry(here.repo, wanted, entry) for entry in inside]


@in_repo.put("/contents/{path:path}")
def put_contents(here: Here, path: str, new: NewContent, response: Response) -> Json:
    branch, content = new.branch or here.repo.default_branch, _decoded(new.content)
    made = here.hub.refs.edit_file(
        here.repo, path, content, actor=here.actor, message=new.message, branch=branch, sha=new.sha
    )
    response.status_code = 200 if new.sha else 201
    found = here.hub.repos.git(here.repo).read(f"{made}:{path}")
    assert found
    return {
        "content": here.answers.content(here.repo, branch, path, found[0], content),
        "commit": here.answers.git_commit(here.repo, _commit(here, made)),
    }


@in_repo.get("/compare/{spec:path}")
def compare(here: Here, spec: str) -> Json:
    base, dots, head = spec.partition("...")
    if not dots:
        raise NotFound
    return here.answers.comparison(here.repo, _commit(here, base), _commit(here, head), spec)


def _commit(here: Visit, ref: str) -> Commit:
    """By sha, branch or full ref, `owner:branch` included."""
    name = here.hub.repos.resolve(here.repo, ref.removeprefix(f"{here.repo.owner}:"))
    commit = here.hub.repos.git(here.repo).commit(name) if name else None
    if commit is None:
        raise NotFound(f"No commit found for the ref {ref}")
    return commit


def _below(folder: str, entry: Entry) -> Entry:
    path = f"{folder}/{entry.path}" if folder else entry.path
    return Entry(path=path, mode=entry.mode, kind=entry.kind, sha=entry.sha, size=entry.size)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise Invalid("content is not valid Base64") from error
