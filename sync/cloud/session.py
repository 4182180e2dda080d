"""The HTTP stack of one source, from its credential up to its list; open for one run, or for one check."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from sync import settings
from sync.cloud.auth.credential import Credential, GivenToken, read_again
from sync.cloud.auth.iam import IamToken
from sync.cloud.auth.signing import SignedRequests
from sync.cloud.auth.token import IamUser, TokenCache
from sync.cloud.client import Client
from sync.cloud.image_list import ImageList
from sync.cloud.retry import RetryPolicy
from sync.domain.apis import IEC
from sync.domain.run import Progress


@dataclass(frozen=True, slots=True)
class CloudSession:
    """The parts that talk to the cloud of one source.

    Attributes:
        credential: authenticates the requests.
        client: sends them to the endpoint.
        images: the list of the source.
    """

    credential: Credential
    client: Client
    images: ImageList


@contextmanager
def open_session(
    source: settings.Source, policy: RetryPolicy, progress: Progress | None = None
) -> Iterator[CloudSession]:
    """Open a session for as long as the block lasts; the policy bounds all that it does."""
    credential = _credential(source, policy)
    client = Client(
        source.endpoint, credential, policy, timeout=source.timeout, max_response_bytes=source.max_response_bytes
    )
    with client:
        images = ImageList(
            client,
            source.filter_query,
            concurrency=source.concurrency,
            max_images=source.max_images + IEC.limit,
            max_gap_requests=source.max_gap_requests,
            progress=progress,
        )
        yield CloudSession(credential, client, images)


@contextmanager
def probe_session(source: settings.Source, seconds: float) -> Iterator[CloudSession]:
    """Open a session for checks: it repeats no request, and ends within these seconds."""
    with open_session(source, RetryPolicy(seconds, 0)) as session:
        yield session


def token_expiry(source: settings.Source) -> float | None:
    """When the token of a source expires, in Unix time; None if it has none, or that is not known."""
    own = source.credentials
    if not isinstance(own, settings.Password):
        return None
    token = _tokens().account(_user(own)).token
    left = math.inf if token is None else token.left(time.monotonic())
    return time.time() + left if math.isfinite(left) else None


def _credential(source: settings.Source, policy: RetryPolicy) -> Credential:
    """How requests authenticate; a login is kept for the next run of this process."""
    own = source.credentials
    if isinstance(own, settings.Token):
        return GivenToken(own.token)
    if isinstance(own, settings.Keys):
        return SignedRequests(own.access_key, own.secret_key, own.security_token, domain_id=own.domain_id)

    def newer() -> IamUser | None:
        return _user(own) if read_again(own.password) else None

    return IamToken(_user(own), _tokens(), policy, timeout=source.timeout, newer=newer)


def _user(own: settings.Password) -> IamUser:
    return IamUser(own.iam_endpoint, own.username, own.password.reveal(), own.domain, own.project)


@cache
def _tokens() -> TokenCache:
    """The tokens of this process."""
    return TokenCache()
