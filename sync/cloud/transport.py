"""The requests of one run to one endpoint: counted, within the run's deadline, with the cloud's errors."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Self

from sync.cloud.errors import request_id_of, traced, unreachable
from sync.cloud.retry import RetryPolicy
from sync.errors import CloudError, Fault, ImageSyncError, InterruptedRunError, TooLargeError, TransportError
from sync.transport import HttpTransport, Response

_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)  # whatever becomes of their bodies
_SLACK = 0.5  # seconds after the deadline: the time-outs of single steps come first, and say more


class CloudTransport:
    """Carries requests to one endpoint; safe to use from several threads.

    Args:
        endpoint: such as ``https://iecs.myhuaweicloud.com``.
        policy: the retry policy of the run.
        timeout: seconds for connecting, and for each read.
        max_bytes: the largest body of a good answer that is accepted.
        too_large: the message about a larger one.

    Attributes:
        date: the ``Date`` of the latest answer, good or not.
        proxy: host and port of the proxy that carries the requests, or "".

    Raises:
        RejectedError: proxies or certificates named in the environment cannot be used.
    """

    def __init__(self, endpoint: str, policy: RetryPolicy, *, timeout: float, max_bytes: int, too_large: str) -> None:
        self.date: str | None = None
        self._endpoint, self._policy = endpoint, policy
        self._timeout, self._max_bytes, self._too_large = timeout, max_bytes, too_large
        try:
            self._http = HttpTransport(endpoint, policy.left() + _SLACK)
        except TransportError as error:
            raise unreachable(error, endpoint) from None
        self.proxy = self._http.proxy

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(self, *unused: object) -> None:
        self._http.__exit__(*unused)

    def send(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None) -> Response:
        """Send a request and read its answer, whatever its status.

        Raises:
            TransientError: no whole answer came.
            TooLargeError: a good answer is too large.
            DeadlineError, InterruptedRunError: see ``RetryPolicy.remaining``.
        """
        self._policy.stats.count(requests=1)
        wait = min(self._timeout, self._policy.remaining())
        head: list[tuple[int, Mapping[str, str]]] = []

        def note(status: int, named: Mapping[str, str]) -> None:
            self.date = named.get("date")
            head.append((status, named))

        sent = {"Accept": "application/json", **headers}
        try:
            response = self._http.send(
                method, url, sent, content, timeout=wait, max_bytes=self._max_bytes, on_head=note
            )
        except TransportError as error:
            if head and head[0][0] in _REFUSALS and error.fault is not Fault.OVER:
                return Response(*head[0], b"", 0)  # to repeat a refused login could lock the account
            problem = self._problem(error)
        else:
            self._policy.stats.count(received=len(response.content))
            return response
        if head and isinstance(problem, CloudError):
            traced(problem, head[0][0], request_id_of(head[0][1]))
        raise problem

    def _problem(self, error: TransportError) -> ImageSyncError:
        if error.fault is Fault.OVER:  # if not by the deadline, then since the run gave up
            return self._policy.over() or InterruptedRunError()
        if error.fault is Fault.TOO_LARGE:
            return TooLargeError(self._too_large)
        return unreachable(error, self._endpoint)
