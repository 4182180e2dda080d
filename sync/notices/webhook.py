"""One notice over HTTP: the only place beside ``sync/cloud`` that speaks it; its errors are ours, without the address.

No redirect is followed, since the notice and its signature would go along. Of the answer only the status counts, and
nothing of it is shown.
"""

from __future__ import annotations

import os
import re
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx

from sync import __version__
from sync.domain.notices import Notice
from sync.errors import ReceiverAwayError, ReceiverRefusesError
from sync.notices.formats import as_json, as_slack
from sync.notices.signing import headers

_FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # where the environment says that certificates are
_AGAIN = {408, 425, 429}  # beside 5xx: worth another try
_GONE = 410
_REDIRECTS = range(300, 400)
_SERVER_FAULT = 500


class Webhook:
    """Hands notices to one address.

    Args:
        url: its address; never shown.
        secret: the key that signs, or None.
        style: json or slack.
        seconds: how long one try may take, whatever the receiver does.
    """

    def __init__(self, url: str, secret: str | None, style: str, *, seconds: float = 4.0) -> None:
        self._url, self._secret, self._style, self._seconds = url, secret, style, seconds

    def __repr__(self) -> str:
        return "Webhook(...)"

    def send(self, notices: Sequence[Notice]) -> int:
        """Send the first of the notices, or as many as go into one message; once.

        Returns:
            how many of them were sent.

        Raises:
            ReceiverAwayError: worth another try.
            ReceiverRefusesError: it is not.
        """
        body, count = as_slack(notices) if self._style == "slack" else (as_json(notices[0]), 1)
        status, told = self._post(body, headers(notices[0].id, int(time.time()), body, self._secret))
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return count
        if status in _AGAIN or status >= _SERVER_FAULT:
            raise ReceiverAwayError(
                f"the receiver answers with status {status}", wait=_seconds(told.get("retry-after"))
            )
        raise ReceiverRefusesError(f"the receiver answers with status {status}; {_advice(status)}")

    def _post(self, body: bytes, signed: Mapping[str, str]) -> tuple[int, Mapping[str, str]]:
        told = {"Content-Type": "application/json", "User-Agent": f"image-sync/{__version__}", **signed}
        secure = self._url.startswith("https:")
        # Proxies of the environment are for https, where they see neither address nor notice; see docs/decisions.
        http = httpx.Client(
            follow_redirects=False,
            trust_env=secure,
            verify=_trust(*map(os.environ.get, _FILES)) if secure else False,
            timeout=self._seconds,
        )
        # The library's time-outs are for each read, so a receiver that drips would keep us for ever.
        guard = threading.Timer(self._seconds, _close, [http])
        guard.daemon = True
        guard.start()
        try:
            with http.stream("POST", self._url, content=body, headers=told) as answer:
                return answer.status_code, dict(answer.headers)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError, RuntimeError) as error:
            problem = ReceiverAwayError(f"the receiver can't be reached: {self._why(error)}")
        finally:
            guard.cancel()
            _close(http)
        raise problem  # out here it has no context: the library's error holds the request, and that the address

    def _why(self, error: BaseException) -> str:
        """Why, in words that hold no address; the library's own often do."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLError):
                return f"TLS failed ({cause.reason or type(cause).__name__}); check certificate and clock"
            if isinstance(cause, TimeoutError):
                return f"no answer within {self._seconds:g} s"
            if isinstance(cause, OSError) and cause.strerror:
                return cause.strerror
            cause = cause.__cause__ or cause.__context__
        late = isinstance(error, httpx.TimeoutException)
        return f"no answer within {self._seconds:g} s" if late else type(error).__name__


@cache
def _trust(*_files: str | None) -> ssl.SSLContext:
    """The certificates that are trusted; loading them takes 20 ms and more."""
    return httpx.create_ssl_context()


def _close(http: Any) -> None:
    with suppress(Exception):  # a connection that is torn away from its reader may say so in any way
        http.close()


def _seconds(text: str | None) -> float | None:
    """The wait that ``Retry-After`` asks for, where it is a number; a date is too far off to matter."""
    return float(text) if text and re.fullmatch(r"\s*\d{1,9}\s*", text) else None


def _advice(status: int) -> str:
    if status in _REDIRECTS:
        return "redirects are not followed: set notice_url to the real address"
    return (
        "it wants no more of them: set another notice_url" if status == _GONE else "check notice_url and notice_style"
    )
