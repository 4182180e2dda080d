"""A login at the identity service (Keystone v3): the user or application credential, and the scope requested."""

from __future__ import annotations

from dataclasses import dataclass, field

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of the identity service (Huawei Cloud: an account), by its id or its name."""

    name: str = ""
    id: str = ""

    def reference(self) -> Json:
        """How a request names it."""
        return {"id": self.id} if self.id else {"name": self.name}

    def scope(self) -> Json:
        """How a request asks for a token for it."""
        return {"domain": self.reference()}


@dataclass(frozen=True, slots=True)
class Project:
    """A project of the identity service, by its id, or by its name in a domain."""

    id: str = ""
    name: str = ""
    domain: Domain = Domain()

    def scope(self) -> Json:
        """How a request asks for a token for it."""
        return {"project": {"id": self.id} if self.id else {"name": self.name, "domain": self.domain.reference()}}


@dataclass(frozen=True, slots=True)
class User:
    """A user with a password."""

    name: str
    password: str = field(repr=False)
    domain: Domain

    secret_setting = "password"  # noqa: S105 - a name
    to_check = "user name, password, domain and project, and that the user has a role there"

    @property
    def account(self) -> tuple[object, ...]:
        """The user whom the identity service locks after wrong passwords."""
        return (self.domain, self.name)

    def identity(self) -> Json:
        """How a login says who it is."""
        user = {"name": self.name, "password": self.password, "domain": self.domain.reference()}
        return {"methods": ["password"], "password": {"user": user}}


@dataclass(frozen=True, slots=True)
class Application:
    """An application credential, by its id, or by its name and its user; it belongs to one project."""

    secret: str = field(repr=False)
    id: str = ""
    name: str = ""
    user: str = ""
    domain: Domain = Domain()

    secret_setting = "application_credential_secret"  # noqa: S105 - a name
    to_check = "id (or name and user) and secret of the application credential, and that it has not expired"

    @property
    def account(self) -> tuple[object, ...]:
        """The credential that the identity service may lock after wrong secrets."""
        return (self.id, self.name, self.domain, self.user)

    def identity(self) -> Json:
        """How a login says who it is."""
        user = {"name": self.user, "domain": self.domain.reference()}
        which: Json = {"id": self.id} if self.id else {"name": self.name, "user": user}
        return {"methods": ["application_credential"], "application_credential": {**which, "secret": self.secret}}


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """One way to get tokens.

    Attributes:
        endpoint: address of the identity service.
        identity: who logs in.
        scope: what the tokens are for; None where the identity decides on that.
        with_catalog: whether to request the catalog of services, which can be large.
    """

    endpoint: str
    identity: User | Application
    scope: Domain | Project | None = None
    with_catalog: bool = False

    def body(self) -> Json:
        """The body of the request for a token."""
        scope: Json = {"scope": self.scope.scope()} if self.scope else {}
        return {"auth": {"identity": self.identity.identity(), **scope}}
