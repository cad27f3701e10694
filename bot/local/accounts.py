"""Accounts on the stand-in: users, apps with their installations, tokens, repositories and who may do what there.

All of it can be asked for again after a restart, and is then what it was.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.local.access import ROLES, Actor
from bot.local.faults import Faults
from bot.local.git import Signature
from bot.local.notices import Notices
from bot.local.refusals import Invalid, NotFound, Unauthorized
from bot.local.repos import Repos
from bot.local.rows import App, Collaborator, Installation, Repository, Token, User
from bot.local.store import Store

TOKEN_LIFE = timedelta(hours=1)
LONGEST_JWT = 660
"""Seconds: ten minutes, and one of drift."""


@dataclass(frozen=True)
class AppCredentials:
    app_id: int
    client_id: str
    private_key: str


class Accounts:
    def __init__(self, folder: Path, store: Store, repos: Repos, notices: Notices, faults: Faults) -> None:
        self._faults = faults
        self._folder = folder
        self._store = store
        self._repos = repos
        self._notices = notices

    # People and repositories

    def create_user(self, login: str) -> str:
        """Their token."""
        with self._store.transaction():
            self._user(login)
            there = self._store.find(Token, login=login, installation_id=None)
            if there is None:
                there = self._store.add(Token(token=f"ghp_{secrets.token_hex(18)}", login=login))
        return there.token

    def create_repo(
        self, full_name: str, *, files: Mapping[str, bytes], private: bool = False, delete_branch_on_merge: bool = True
    ) -> Repository:
        """With these files on main; one that is there already stays as it is."""
        owner, _, name = full_name.partition("/")
        there = self._store.find(Repository, owner=owner, name=name)
        if there:
            return there
        self.create_user(owner)
        now = self._store.now()
        repo = Repository(
            owner=owner,
            name=name,
            created_at=now,
            pushed_at=now,
            private=private,
            delete_branch_on_merge=delete_branch_on_merge,
        )
        self._repos.create(repo, files=files, author=Signature(owner, f"{owner}@users.noreply.localhost", now))
        return self._store.add(repo)

    def repository(self, owner: str, name: str) -> Repository:
        return self._store.get(Repository, owner=owner, name=name)

    def set_permission(self, repo: Repository, login: str, role: str) -> None:
        """One of ROLES; `none` takes the collaborator away."""
        if role not in ROLES:
            raise Invalid(resource="Collaborator", field="permission")
        self.create_user(login)
        with self._store.transaction():
            there = self._store.find(Collaborator, repo_id=repo.id, login=login)
            if there:
                self._store.remove(there)
            if role != "none":
                self._store.add(Collaborator(repo_id=repo.id, login=login, role=role))

    # Apps

    def create_app(self, slug: str, *, owner: str, webhook_url: str, webhook_secret: str) -> AppCredentials:
        """An app that exists gets the new webhook and keeps id and key."""
        key_file = self._folder / f"{slug}.private-key.pem"
        self.create_user(owner)
        there = self._store.find(App, slug=slug)
        if there is None:
            private_key = _new_key()
            key_file.touch(mode=0o600)
            key_file.write_bytes(_pem(private_key))
            with self._store.transaction():
                self._user(f"{slug}[bot]", is_bot=True)
                app = App(
                    slug=slug,
                    client_id=f"Iv23{secrets.token_hex(8)}",
                    owner=owner,
                    public_key=_public_pem(private_key),
                    webhook_url=webhook_url,
                    webhook_secret=webhook_secret,
                    created_at=self._store.now(),
                )
                there = self._store.add(app)
                self._notices.ping(there)
        self._store.save(replace(there, webhook_url=webhook_url, webhook_secret=webhook_secret))
        return AppCredentials(there.id, there.client_id, key_file.read_text())

    def install(self, app_id: int, repo: Repository) -> Installation:
        """One installation per app and account, with all its repositories."""
        with self._store.transaction():
            there = self._store.find(Installation, app_id=app_id, account=repo.owner)
            if there is None:
                return self._store.add(
                    Installation(
                        app_id=app_id, account=repo.owner, repository_ids=(repo.id,), created_at=self._store.now()
                    )
                )
            if repo.id in there.repository_ids:
                return there
            return self._store.save(replace(there, repository_ids=(*there.repository_ids, repo.id)))

    def installations(self, app: App) -> list[Installation]:
        return self._store.all(Installation, app_id=app.id)

    def installation_on(self, app: App, repo: Repository) -> Installation:
        for installation in self.installations(app):
            if repo.id in installation.repository_ids:
                return installation
        raise NotFound

    def installation_token(self, installation: Installation, *, repository_ids: tuple[int, ...] | None = None) -> Token:
        if repository_ids is not None and not set(repository_ids) <= set(installation.repository_ids):
            raise Invalid(
                "There is at least one repository that does not exist or is not accessible to the parent installation."
            )
        app = self._store.get(App, id=installation.app_id)
        life = TOKEN_LIFE if self._faults.token_life is None else timedelta(seconds=self._faults.token_life)
        # As long as GitHub's own since 2026, with its two dots.
        parts = ".".join(secrets.token_urlsafe(size) for size in (30, 160, 180))
        return self._store.add(
            Token(
                token=f"ghs_{app.id}_{parts}",
                login=app.login,
                installation_id=installation.id,
                expires_at=self._store.now() + life,
                repository_ids=repository_ids,
            )
        )

    def revoke_tokens(self) -> None:
        """All that installations have, and no person's."""
        with self._store.transaction():
            for token in self._store.all(Token):
                if token.installation_id is not None:
                    self._store.save(replace(token, expires_at=self._store.now()))

    # Who asks

    def actor(self, login: str) -> Actor:
        """A user, without a token: for the pages of one machine, whose reader is its owner."""
        return Actor(self._store.get(User, login=login).login)

    def actor_of_token(self, token: str) -> Actor:
        known = self._store.find(Token, token=token)
        if known is None or (known.expires_at is not None and known.expires_at <= self._store.now()):
            raise Unauthorized
        if known.installation_id is None:
            return Actor(known.login)
        installation = self._store.get(Installation, id=known.installation_id)
        app = self._store.get(App, id=installation.app_id)
        return Actor(known.login, app=app, installation=installation, repository_ids=known.repository_ids)

    def app_of_token(self, token: str) -> str:
        """The slug of the app whose token or JWT it claims to be, valid or not; empty for a person's."""
        known = self._store.find(Token, token=token)
        if known:
            return known.login.removesuffix("[bot]") if known.installation_id is not None else ""
        try:
            app = self._issuer(token)
        except jwt.PyJWTError:
            return ""
        return app.slug if app else ""

    def app_of_jwt(self, token: str) -> App:
        """The app that signed it with its private key."""
        try:
            app = self._issuer(token)
            if app is None:
                raise NotFound("Integration not found")
            claims = jwt.decode(
                token, app.public_key, algorithms=["RS256"], options={"require": ["iat", "exp"]}, leeway=60
            )
        except jwt.PyJWTError as error:
            raise Unauthorized("A JSON web token could not be decoded") from error
        if claims["exp"] - claims["iat"] > LONGEST_JWT:
            raise Unauthorized("'Expiration time' claim ('exp') is too far in the future")
        return app

    def _issuer(self, token: str) -> App | None:
        issuer = str(jwt.decode(token, options={"verify_signature": False}).get("iss"))
        app = self._store.find(App, client_id=issuer)
        return self._store.find(App, id=int(issuer)) if app is None and issuer.isdecimal() else app

    def _user(self, login: str, *, is_bot: bool = False) -> User:
        there = self._store.find(User, login=login)
        return there or self._store.add(User(login=login, created_at=self._store.now(), is_bot=is_bot))


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _public_pem(key: rsa.RSAPrivateKey) -> str:
    public = key.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()
