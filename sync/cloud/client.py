"""``GET /v1/images``, once: one request, one answer, or one of our errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, TypeVar
from urllib.parse import quote, urlencode

from sync import logs
from sync.cloud.auth.credential import Credential
from sync.cloud.errors import failure, request_id_of, traced
from sync.cloud.retry import RetryPolicy
from sync.cloud.transport import HttpTransport
from sync.domain.run import RequestStats
from sync.errors import CloudError, UnauthorizedError

PATH = "/v1/images"
T = TypeVar("T")
_OK = 200
_UNAUTHORIZED = 401
_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Body:
    """The body of one good answer, with what stood around it."""

    content: bytes
    request_id: str | None
    milliseconds: int


class Client:
    """Asks one endpoint; may be used by several threads.

    Args:
        endpoint: such as ``https://iecs.myhuaweicloud.com``.
        credential: proves who asks.
        policy: the run's.
        stats: where requests and bytes are counted.
        timeout: seconds for connecting, and for each read.
        max_response_bytes: the largest body that is taken.
    """

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        policy: RetryPolicy,
        stats: RequestStats,
        *,
        timeout: float = 30.0,
        max_response_bytes: int = 16 << 20,
    ) -> None:
        self.endpoint = endpoint
        self._credential, self._policy = credential, policy
        too_large = f"a page is larger than {max_response_bytes} bytes; if that is right, raise `max_response_bytes`"
        self._wire = HttpTransport(
            endpoint, policy, stats, timeout=timeout, most_bytes=max_response_bytes, too_large=too_large
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._wire.__exit__(*unused)

    def get(self, query: Mapping[str, str], read: Callable[[Body], T]) -> T:
        """Ask, by the run's retry policy; once more with new credentials if the first are refused.

        Args:
            query: the parameters.
            read: makes sense of the body; what it can't read because it broke on the way is asked for again.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: see ``sync.errors``.
        """
        # A blank becomes %20, never +: signatures cover the query, and read + as itself.
        url = f"{self.endpoint}{PATH}?{urlencode(query, quote_via=quote)}"
        return self._policy.call(lambda: _understood(self._get_renewing(url), read))

    @property
    def date(self) -> str | None:
        """The ``Date`` of the newest answer, good or not: the cloud's clock."""
        return self._wire.date

    def _get_renewing(self, url: str) -> Body:
        proof = self._credential.headers("GET", url)
        try:
            return self._once(url, proof)
        except UnauthorizedError as error:
            if not self._credential.renew(proof):
                raise
            _log.warning("credentials renewed", reason=str(error), **error.facts())
        return self._once(url, self._credential.headers("GET", url))

    def _once(self, url: str, proof: Mapping[str, str]) -> Body:
        reply = self._wire.send("GET", url, proof)
        if reply.status != _OK:
            hint = self._credential.explain(reply.headers.get("date")) if reply.status == _UNAUTHORIZED else ""
            raise failure(reply.status, reply.headers, reply.content, hint=hint)
        return Body(reply.content, request_id_of(reply.headers), reply.milliseconds)


def _understood(body: Body, read: Callable[[Body], T]) -> T:
    try:
        return read(body)
    except CloudError as error:
        traced(error, _OK, body.request_id)
        raise
