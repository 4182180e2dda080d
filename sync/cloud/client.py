"""Requests to one API of images: each is an answer or one of our errors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Self, TypeVar
from urllib.parse import quote, urlencode

from sync import logs
from sync.cloud.auth.credential import Credential
from sync.cloud.errors import advice_of, failure, log_page, request_id_of, traced
from sync.cloud.retry import RetryPolicy
from sync.cloud.transport import CloudTransport
from sync.domain.apis.api import Api
from sync.errors import CloudError, UnauthorizedError
from sync.transport import Response

T = TypeVar("T")
_OK = 200
_UNAUTHORIZED = 401
_log = logs.get(__name__)


class Client:
    """Sends requests for images to one endpoint; safe to use from several threads.

    Args:
        endpoint: such as ``https://iecs.myhuaweicloud.com``.
        credential: authenticates the requests.
        policy: the retry policy of the run.
        api: says what to do about its errors.
        timeout: seconds for connecting, and for each read.
        max_response_bytes: the largest body that is accepted.
    """

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        policy: RetryPolicy,
        api: Api,
        *,
        timeout: float = 30.0,
        max_response_bytes: int = 16 << 20,
    ) -> None:
        self.endpoint, self.policy, self.api = endpoint, policy, api
        self._credential = credential
        too_large = f"a page is larger than {max_response_bytes} bytes; if that is right, raise `max_response_bytes`"
        self._transport = CloudTransport(
            endpoint, policy, timeout=timeout, max_bytes=max_response_bytes, too_large=too_large
        )

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(self, *unused: object) -> None:
        self._transport.__exit__(*unused)

    def get(
        self, path: str, query: Mapping[str, str], read: Callable[[Response], T], accept: Collection[int] = (_OK,)
    ) -> T:
        """Send a request, under the run's retry policy, and with new credentials if the first are refused.

        Args:
            path: below the endpoint.
            query: the parameters.
            read: reads the answer; if it finds one that broke on its way, the request is repeated.
            accept: the statuses of the answers that it reads; any other is an error.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: see ``sync.errors``.
        """
        # A space becomes %20, never +: signatures cover the query, in which + stands for itself.
        url = f"{self.endpoint}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        return self.policy.call(lambda: _understood(self._get_renewing(url, accept), read))

    def failure(self, response: Response) -> CloudError:
        """The error that an answer is."""
        date = response.headers.get("date")
        hint = self._credential.explain(date) if response.status == _UNAUTHORIZED else ""
        return failure(
            response.status,
            response.headers,
            response.content,
            advice=advice_of(self.api),
            hint=hint,
            proxy=self._transport.proxy,
            api=self.api,
        )

    @property
    def date(self) -> str | None:
        """The ``Date`` of the latest answer, good or not: the cloud's clock."""
        return self._transport.date

    def _get_renewing(self, url: str, accept: Collection[int]) -> Response:
        proof = self._credential.headers("GET", url)
        try:
            return self._once(url, proof, accept)
        except UnauthorizedError as error:
            if not self._credential.renew(proof):
                raise
            _log.warning("credentials renewed", reason=str(error), **error.facts())
        return self._once(url, self._credential.headers("GET", url), accept)

    def _once(self, url: str, proof: Mapping[str, str], accept: Collection[int]) -> Response:
        response = self._transport.send("GET", url, proof)
        if response.status not in accept:
            raise self.failure(response)
        return response


def _understood(response: Response, read: Callable[[Response], T]) -> T:
    try:
        return read(response)
    except CloudError as error:
        log_page(response.status, response.content)
        traced(error, response.status, request_id_of(response.headers))
        raise
