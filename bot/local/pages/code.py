"""Files and folders at any branch or commit: rendered, with line numbers, as bytes; a commit; editing one file."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from markupsafe import Markup

from bot.local.git import Commit, Git
from bot.local.pages.changes import changed_files, is_image
from bot.local.pages.highlight import highlighted_lines, language_of
from bot.local.pages.markup import file_place, render
from bot.local.pages.shell import Shell, Visit, back_to, plain_lines
from bot.local.refusals import Invalid, NotFound

LONGEST_TEXT = 1_000_000
MOST_COMMITS = 100
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

_SHA = re.compile(r"^[0-9a-f]{4,40}$")
_PULL = re.compile(r"^(refs/pull/\d+/head)(?:/(.*))?$")
_IMAGE_TYPES = {"jpg": "image/jpeg", **{kind: f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp")}}

Text = Annotated[str, Form()]


@dataclass(frozen=True)
class Spot:
    """A path at a branch or commit, as an address names them."""

    ref: str
    commit: Commit
    path: str

    @property
    def crumbs(self) -> list[tuple[str, str]]:
        """Each part of the path with the path up to it."""
        parts = self.path.split("/") if self.path else []
        return [(part, "/".join(parts[: index + 1])) for index, part in enumerate(parts)]


@dataclass(frozen=True)
class TreeEntry:
    name: str
    path: str
    is_folder: bool
    size: int | None


@dataclass(frozen=True)
class TreeView:
    commit: Commit
    entries: tuple[TreeEntry, ...]

    @classmethod
    def read(cls, visit: Visit, ref: str, path: str) -> "TreeView | None":
        """Folders first, as everywhere."""
        commit = visit.git.commit(ref)
        sha = visit.git.resolve(f"{commit.sha}:{path}") if commit else None
        found = visit.git.tree(sha) if sha else None
        if commit is None or found is None:
            return None
        entries = [
            TreeEntry(entry.path, f"{path}/{entry.path}" if path else entry.path, entry.kind == "tree", entry.size)
            for entry in found
        ]
        return cls(commit, tuple(sorted(entries, key=lambda entry: (not entry.is_folder, entry.name.lower()))))


@dataclass(frozen=True)
class BlobView:
    """One of `image`, `markdown`, `lines`, or neither: then only the bytes can be had."""

    size: int
    image: bool = False
    markdown: Markup | None = None
    lines: tuple[Markup, ...] = ()

    @classmethod
    def read(cls, visit: Visit, spot: Spot, content: bytes, *, plain: bool) -> "BlobView":
        if is_image(spot.path):
            return cls(len(content), image=True)
        text = _text_of(content)
        if text is None:
            return cls(len(content))
        if language_of(spot.path) == "md" and not plain:
            return cls(len(content), markdown=render(text, file_place(visit.base, spot.ref, spot.path)))
        lines = highlighted_lines(text, language_of(spot.path))
        return cls(len(content), lines=tuple(Markup(line) for line in lines))


class CodePages:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def routes(self) -> APIRouter:
        routes = self._shell.routes()
        for word, page in (("blob", self.blob), ("tree", self.tree), ("commits", self.commits), ("edit", self.edit)):
            routes.add_api_route(f"/{{owner}}/{{name}}/{word}/{{rest:path}}", page)
        routes.add_api_route("/{owner}/{name}/edit/{rest:path}", self.save, methods=["POST"])
        routes.add_api_route("/{owner}/{name}/commit/{sha}", self.commit)
        return routes

    def tree(self, request: Request, owner: str, name: str, rest: str) -> Response:
        visit = self._shell.visit(request, owner, name)
        spot = _find(visit, rest)
        tree = TreeView.read(visit, spot.commit.sha, spot.path)
        if tree is None:
            raise NotFound(f"There is no folder {spot.path} at {spot.ref}.")
        readme = visit.git.blob(f"{spot.commit.sha}:{_inside(spot.path, 'README.md')}")
        place = file_place(visit.base, spot.ref, _inside(spot.path, "README.md"))
        shown = render(readme.decode(errors="replace"), place) if readme else None
        return self._shell.page(visit, "tree.html", tab="code", spot=spot, tree=tree, readme=shown)

    def blob(self, request: Request, owner: str, name: str, rest: str, raw: str = "", plain: str = "") -> Response:
        visit = self._shell.visit(request, owner, name)
        spot = _find(visit, rest)
        content = _content(visit, spot)
        if raw:
            return raw_answer(spot.path, content)
        return self._shell.page(
            visit,
            "blob.html",
            tab="code",
            spot=spot,
            blob=BlobView.read(visit, spot, content, plain=bool(plain)),
            is_markdown=language_of(spot.path) == "md",
            plain=bool(plain),
            may_edit=_may_edit(visit, spot, content),
        )

    def commits(self, request: Request, owner: str, name: str, rest: str) -> Response:
        visit = self._shell.visit(request, owner, name)
        spot = _find(visit, rest)
        wanted = ["rev-list", f"--max-count={MOST_COMMITS}", spot.commit.sha, "--"]
        shas = visit.git.run(*wanted, *([spot.path] if spot.path else [])).split()
        return self._shell.page(visit, "commits.html", tab="code", spot=spot, commits=read_commits(visit.git, shas))

    def commit(self, request: Request, owner: str, name: str, sha: str) -> Response:
        visit = self._shell.visit(request, owner, name)
        commit = visit.git.commit(sha) if _SHA.match(sha) else None
        if commit is None:
            raise NotFound(f"There is no commit {sha} here.")
        base = commit.parents[0] if commit.parents else EMPTY_TREE
        files = changed_files(visit.git, base, commit.sha, visit.git.changes(base, commit.sha))
        checks = visit.hub.checks.of_commit(visit.repo, commit.sha)
        outputs = [(check, visit.comment(check.summary), visit.comment(check.text)) for check in checks]
        return self._shell.page(visit, "commit.html", tab="code", commit=commit, files=files, checks=outputs)

    # Editing

    def edit(self, request: Request, owner: str, name: str, rest: str) -> Response:
        visit = self._shell.visit(request, owner, name)
        spot = _find(visit, rest)
        content = _content(visit, spot)
        if not _may_edit(visit, spot, content):
            raise Invalid(f"{spot.path} at {spot.ref} cannot be edited here: only texts on a branch, by who may write.")
        sha = visit.git.resolve(f"{spot.commit.sha}:{spot.path}")
        return self._shell.page(visit, "edit.html", tab="code", spot=spot, text=content.decode(), sha=sha)

    def save(
        self, request: Request, owner: str, name: str, rest: str, text: Text, sha: Text, message: Text = ""
    ) -> Response:
        visit = self._shell.visit(request, owner, name)
        spot = _find(visit, rest)
        visit.hub.refs.edit_file(
            visit.repo,
            spot.path,
            plain_lines(text).encode(),
            actor=visit.actor,
            message=plain_lines(message).strip() or f"Update {spot.path}",
            branch=spot.ref,
            sha=sha,
        )
        return back_to(f"{visit.base}/blob/{spot.ref}/{spot.path}")


def raw_answer(path: str, content: bytes) -> Response:
    """Never as a page of ours: pictures as pictures, all else as plain text or as a download."""
    media = _IMAGE_TYPES.get(language_of(path))
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-cache",
    }
    if media is None and _text_of(content) is not None:
        media = "text/plain; charset=utf-8"
    if media is None:
        headers["Content-Disposition"] = "attachment"
    return Response(content, media_type=media or "application/octet-stream", headers=headers)


def read_commits(git: Git, shas: list[str]) -> list[Commit]:
    return [commit for commit in map(git.commit, shas) if commit]


def _find(visit: Visit, rest: str) -> Spot:
    """A branch's name may hold slashes: the longest branch that the address begins with wins, then a commit's sha."""
    rest = rest.strip("/")
    branches = [ref.removeprefix("refs/heads/") for ref in visit.git.refs("refs/heads/")]
    fitting = [branch for branch in branches if rest == branch or rest.startswith(f"{branch}/")]
    pull = _PULL.match(rest)
    if fitting:
        ref = max(fitting, key=len)
        commit, path = visit.git.commit(f"refs/heads/{ref}"), rest[len(ref) + 1 :]
    elif pull:
        ref, path = pull[1], pull[2] or ""
        commit = visit.git.commit(ref)
    else:
        ref, _, path = rest.partition("/")
        commit = visit.git.commit(ref) if _SHA.match(ref) else None
    if commit is None:
        raise NotFound(f"There is no branch or commit {ref} here. A merged branch is deleted; its commits stay.")
    return Spot(ref, commit, path)


def _content(visit: Visit, spot: Spot) -> bytes:
    content = visit.git.blob(f"{spot.commit.sha}:{spot.path}")
    if content is None:
        raise NotFound(f"There is no file {spot.path} at {spot.ref}.")
    return content


def _may_edit(visit: Visit, spot: Spot, content: bytes) -> bool:
    on_branch = visit.git.resolve(f"refs/heads/{spot.ref}") is not None
    return on_branch and visit.may("write") and _text_of(content) is not None


def _text_of(content: bytes) -> str | None:
    if len(content) > LONGEST_TEXT or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _inside(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
