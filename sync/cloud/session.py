"""The HTTP stack of one source, from its credential up to its list; open for one run, or for one check."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sync import settings
from sync.cloud.access import Access
from sync.cloud.client import Client
from sync.cloud.image_list import ImageList
from sync.cloud.retry import RetryPolicy
from sync.domain.run import Progress
from sync.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class CloudSession:
    """The parts that talk to the cloud of one source.

    Attributes:
        access: the source's credential, endpoint and scope.
        client: sends requests to the endpoint.
        images: the list of the source.
    """

    access: Access
    client: Client
    images: ImageList

    def scope(self) -> Scope:
        """The project and the roles of the credentials; see ``Access.scope``."""
        return self.access.scope()


@contextmanager
def open_session(
    source: settings.Source, policy: RetryPolicy, progress: Progress | None = None
) -> Iterator[CloudSession]:
    """Open a session for as long as the block lasts; the policy bounds all that it does.

    Raises:
        CloudError, DeadlineError, InterruptedRunError: the endpoint is to come from the catalog, and does not.
    """
    access = Access(source, policy)
    client = Client(
        access.endpoint(),
        access.credential,
        policy,
        access.api,
        timeout=source.timeout,
        max_response_bytes=source.max_response_bytes,
    )
    with client:
        images = ImageList(
            client,
            source.filter_query,
            scope=access.scope,
            concurrency=source.concurrency,
            max_images=source.max_images + access.api.limit,
            max_gap_requests=source.max_gap_requests,
            progress=progress,
        )
        yield CloudSession(access, client, images)


@contextmanager
def probe_session(source: settings.Source, seconds: float) -> Iterator[CloudSession]:
    """Open a session for checks: it repeats no request, and ends within these seconds."""
    with open_session(source, RetryPolicy(seconds, 0)) as session:
        yield session
