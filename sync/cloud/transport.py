"""One request over HTTP and its whole answer, within caps on bytes and time; its errors are ours.

No redirect is followed, since the credentials would go along. No compressed answer is asked for or taken, since 300 kB
of it can become 300 MB. Timeouts of the HTTP library are per read, so the run's deadline bounds the whole answer.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Self

import httpx

from sync import __version__
from sync.cloud.errors import request_id_of, traced, unreachable
from sync.cloud.retry import RetryPolicy
from sync.domain.run import RequestStats
from sync.errors import BrokenAnswerError, CloudError, TooLargeError

_FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # where the environment says that certificates are
_ERROR_BYTES = 64 * 1024  # of an error's body, more says nothing more


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, good or not; its headers and body may hold a token, so neither is shown."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    milliseconds: int


def trust() -> ssl.SSLContext:
    """The certificates that are trusted: the public authorities', or those that the environment names."""
    return _trust(*map(os.environ.get, _FILES))


@cache
def _trust(*_files: str | None) -> ssl.SSLContext:
    """Loading them takes 20 ms and more, so once for all sources."""
    return httpx.create_ssl_context()


class HttpTransport:
    """Carries requests to one endpoint; may be used by several threads.

    Args:
        endpoint: such as ``https://iecs.myhuaweicloud.com``.
        policy: the run's.
        stats: where requests and bytes are counted.
        timeout: seconds for connecting, and for each read.
        most_bytes: the largest body of a good answer that is taken.
        too_large: what is said of a larger one.

    Attributes:
        date: the ``Date`` of the newest answer, good or not.
    """

    def __init__(
        self,
        endpoint: str,
        policy: RetryPolicy,
        stats: RequestStats,
        *,
        timeout: float,
        most_bytes: int,
        too_large: str,
    ) -> None:
        self.endpoint = endpoint
        self.date: str | None = None
        self._policy, self._stats = policy, stats
        self._timeout, self._most_bytes, self._too_large = timeout, most_bytes, too_large
        secure = endpoint.startswith("https:")
        # Proxies of the environment are for https, where they see no token; see docs/decisions.
        self._http = httpx.Client(
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"image-sync/{__version__}",
            },
            follow_redirects=False,
            trust_env=secure,
            verify=trust() if secure else False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None) -> Reply:
        """Send a request and read its answer, whatever its status.

        Raises:
            TransientError: no whole answer came.
            TooLargeError: a good answer is too large.
            DeadlineError, InterruptedRunError: see ``RetryPolicy.remaining``.
        """
        self._stats.count(requests=1)
        start = time.monotonic()
        wait = min(self._timeout, self._policy.remaining())
        response = None
        try:
            with self._http.stream(method, url, headers=dict(headers), content=content, timeout=wait) as response:
                self.date = response.headers.get("date")
                body = self._read(response)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last: what can be no host or no header
            problem = unreachable(error, self.endpoint)
        except CloudError as error:
            problem = error
        else:
            self._stats.count(received=len(body))
            return Reply(response.status_code, response.headers, body, round((time.monotonic() - start) * 1000))
        if response is not None:
            problem = traced(problem, response.status_code, request_id_of(response.headers))
        raise problem  # out here it has no context: the library's error holds the request, and that the secrets

    def _read(self, response: httpx.Response) -> bytes:
        """Read the body as it comes, up to a cap."""
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            if not response.is_success:
                return b""  # its status and headers say enough
            raise BrokenAnswerError(
                "the answer is compressed though that was not asked for; is there a proxy in between?"
            )
        cap = self._most_bytes if response.is_success else _ERROR_BYTES
        parts, size = [], 0
        for part in response.iter_raw():
            self._policy.remaining()
            parts.append(part)
            size += len(part)
            if size > cap and response.is_success:
                raise TooLargeError(self._too_large)
            if size > cap:
                break
        return b"".join(parts)
