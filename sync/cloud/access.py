"""How one source reaches its API: by which credential, at which endpoint, and with which scope."""

from __future__ import annotations

import math
import time
from functools import cache, partial

from sync import logs, settings
from sync.cloud.auth.credential import Credential, GivenToken, read_again
from sync.cloud.auth.grant import Grant, find_endpoint
from sync.cloud.auth.iam import IamToken
from sync.cloud.auth.identity import Application, Domain, LoginRequest, Project, User
from sync.cloud.auth.login import look_up
from sync.cloud.auth.signing import SignedRequests
from sync.cloud.auth.token import TokenCache
from sync.cloud.retry import RetryPolicy
from sync.domain.apis import APIS, Api
from sync.domain.scope import Scope
from sync.errors import RejectedError
from sync.settings.addresses import is_plain_elsewhere, service_address

_log = logs.get(__name__)


class Access:
    """The way of one source to its API, for one run.

    Args:
        source: the source.
        policy: the retry policy of the run.

    Attributes:
        api: the API of the source.
        credential: authenticates the requests.
    """

    def __init__(self, source: settings.Source, policy: RetryPolicy) -> None:
        self._source, self.api = source, APIS[source.api]
        self.credential = _credential(source, self.api, policy)
        self._warned = False

    def endpoint(self) -> str:
        """The address of the API: the one that is set, else the catalog's, which needs a login.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: the login failed, or the catalog has no usable address.
        """
        source = self._source
        if source.endpoint:
            return source.endpoint
        try:
            url = self._in_catalog(self.credential.grant())
        except RejectedError:
            url = self._in_catalog(self.credential.grant(anew=True))
        address = service_address(url)
        if address is None:
            raise RejectedError("the service catalog's address of the image service can't be used; set endpoint")
        if is_plain_elsewhere(address) and not source.allow_http:
            raise RejectedError(
                "the service catalog's address of the image service is plain http, which would show the token to the "
                "network; set endpoint to its https:// address, or set allow_http to true"
            )
        return address

    def scope(self) -> Scope:
        """The project and the roles of the credentials; an empty one where the API lists an account.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: the login failed, or the token is for no project.
        """
        if not self.api.project_scoped:
            return Scope()
        scope = self.credential.grant().scope
        if scope is None:
            raise RejectedError(
                f"the token is for no project, but {self.api.title} lists the images of one; give a token of a "
                "project, or set project or project_id"
            )
        if scope.sees_all and not self._warned:
            self._warned = True
            reason = "it sees all projects' images; give the user a role such as reader in one project"
            _log.warning("token of an administrator", project=scope.project, roles=scope.roles, reason=reason)
        return scope

    def _in_catalog(self, grant: Grant) -> str:
        return find_endpoint(grant.services, self.api.service_types, self._source.interface, self._source.region)


def logs_in(source: settings.Source) -> bool:
    """Whether the job requests the tokens of this source itself."""
    return isinstance(source.credentials, settings.Password | settings.ApplicationCredential)


def token_expiry(source: settings.Source) -> float | None:
    """When the token of a source expires, in Unix time; None if it has none, or that is not known."""
    own = source.credentials
    if not isinstance(own, settings.Password | settings.ApplicationCredential):
        return None
    token = _tokens().account(_login(own, source)).token
    left = math.inf if token is None else token.left(time.monotonic())
    return time.time() + left if math.isfinite(left) else None


def _credential(source: settings.Source, api: Api, policy: RetryPolicy) -> Credential:
    """How requests authenticate; a login is kept for the next run of this process."""
    own = source.credentials
    if isinstance(own, settings.Token):
        return _given(own, source, policy)
    if isinstance(own, settings.Keys):
        project_id, domain_id = (own.project_id, None) if api.project_scoped else (None, own.domain_id)
        return SignedRequests(
            own.access_key, own.secret_key, own.security_token, domain_id=domain_id, project_id=project_id
        )
    secret = own.password if isinstance(own, settings.Password) else own.application_credential_secret

    def newer() -> LoginRequest | None:
        return _login(own, source) if read_again(secret) else None

    return IamToken(
        _login(own, source),
        _tokens(),
        policy,
        timeout=source.timeout,
        newer=newer,
        one_scope=api.project_scoped,
    )


def _given(own: settings.Token, source: settings.Source, policy: RetryPolicy) -> GivenToken:
    if own.iam_endpoint is None:
        return GivenToken(own.token, own.project_id or "")
    ask = partial(look_up, own.iam_endpoint, policy=policy, timeout=source.timeout, with_catalog=not source.endpoint)

    def under_policy(token: str) -> Grant:
        return policy.call(lambda: ask(token))

    return GivenToken(own.token, own.project_id or "", under_policy)


def _login(own: settings.Password | settings.ApplicationCredential, source: settings.Source) -> LoginRequest:
    """The login that these settings describe."""
    common = Domain(own.domain or "", own.domain_id or "")
    domain = _domain(own.user_domain, own.user_domain_id) or common
    if isinstance(own, settings.ApplicationCredential):
        application = Application(
            own.application_credential_secret.reveal(),
            own.application_credential_id or "",
            own.application_credential_name or "",
            own.username or "",
            domain,
        )
        return LoginRequest(own.iam_endpoint, application, with_catalog=not source.endpoint)
    account = common if own.domain or own.domain_id else domain
    scope: Domain | Project = account
    if own.project or own.project_id:
        owner = _domain(own.project_domain, own.project_domain_id) or account
        scope = Project(own.project_id or "", own.project or "", owner)
    user = User(own.username, own.password.reveal(), domain)
    return LoginRequest(own.iam_endpoint, user, scope, with_catalog=not source.endpoint)


def _domain(name: str | None, id: str | None) -> Domain | None:
    return Domain(name or "", id or "") if name or id else None


@cache
def _tokens() -> TokenCache:
    """The tokens of this process."""
    return TokenCache()
