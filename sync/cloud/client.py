"""``GET /v1/images``, once: one request, one answer, or one of our errors.

No redirect is followed, since the token would go along. No compressed answer is asked for or taken, since 300 kB of it
can become 300 MB. Timeouts of the HTTP library are per read, so a deadline of our own bounds the whole answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, TypeVar
from urllib.parse import urlencode

import httpx

from sync import __version__
from sync.cloud.credentials import Credential
from sync.cloud.failures import failure, request_id_of, unreachable
from sync.cloud.patience import Patience
from sync.domain.run import Traffic
from sync.errors import BrokenAnswerError, TooLargeError, UnauthorizedError

PATH = "/v1/images"
T = TypeVar("T")
_ERROR_BYTES = 64 * 1024  # of an error's body, more says nothing more
_OK = 200


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
        patience: the run's.
        traffic: where requests and bytes are counted.
        timeout: seconds for connecting, and for each read.
        page_bytes: the largest body that is taken.
    """

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        patience: Patience,
        traffic: Traffic,
        *,
        timeout: float = 30.0,
        page_bytes: int = 64 << 20,
    ) -> None:
        self.endpoint = endpoint
        self._credential, self._patience, self._traffic = credential, patience, traffic
        self._timeout, self._page_bytes = timeout, page_bytes
        self._renewing = threading.Lock()
        # Proxies of the environment are for https, where they see no token; see docs/decisions.
        self._http = httpx.Client(
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"image-sync/{__version__}",
            },
            follow_redirects=False,
            trust_env=endpoint.startswith("https:"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, query: Mapping[str, str], read: Callable[[Body], T]) -> T:
        """Ask, with the run's patience; once more with new credentials if the first are refused.

        Args:
            query: the parameters.
            read: makes sense of the body; what it can't read because it broke on the way is asked for again.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: see ``sync.errors``.
        """
        url = f"{self.endpoint}{PATH}?{urlencode(query)}"
        return self._patience.call(lambda: read(self._get_renewing(url)))

    def _get_renewing(self, url: str) -> Body:
        proof = self._credential.headers("GET", url)
        try:
            return self._once(url, proof)
        except UnauthorizedError:
            with self._renewing:  # whoever comes second finds the new one
                fresh = self._credential.headers("GET", url)
                if fresh == proof and not self._credential.renew():
                    raise
            return self._once(url, self._credential.headers("GET", url))

    def _once(self, url: str, proof: Mapping[str, str]) -> Body:
        self._traffic.requests += 1
        start = time.monotonic()
        wait = min(self._timeout, self._patience.remaining())
        try:
            with self._http.stream("GET", url, headers=dict(proof), timeout=wait) as response:
                content = self._read(response)
        except httpx.HTTPError as error:
            raise unreachable(error, self.endpoint) from None  # its request holds the token
        self._traffic.bytes += len(content)
        if response.status_code != _OK:
            raise failure(response.status_code, response.headers, content)
        return Body(content, request_id_of(response.headers), round((time.monotonic() - start) * 1000))

    def _read(self, response: httpx.Response) -> bytes:
        """Read the body as it comes over the wire, within the caps on bytes and time."""
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise BrokenAnswerError(
                "the answer is compressed though that was not asked for; is there a proxy in between?"
            )
        good = response.status_code == _OK
        cap = self._page_bytes if good else _ERROR_BYTES
        parts, size = [], 0
        for part in response.iter_raw():
            self._patience.remaining()
            parts.append(part)
            size += len(part)
            if size > cap:
                if good:
                    raise TooLargeError(f"a page is larger than {cap} bytes; if that is right, raise `page_bytes`")
                break
        return b"".join(parts)
