"""One notice over HTTP; errors never contain the address.

Only the status of the answer counts, and nothing of the answer is shown.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from sync.domain.notices import Notice
from sync.errors import TransportError
from sync.notices import signing
from sync.notices.errors import ReceiverAwayError, ReceiverRefusesError
from sync.notices.formats import as_json, as_slack
from sync.transport import HttpTransport, Response

_AGAIN = {408, 425, 429}  # besides 5xx: a retry may help
_GONE = 410
_REDIRECTS = range(300, 400)
_SERVER_FAULT = 500


class Webhook:
    """Sends notices to one address.

    Args:
        url: its address; never shown.
        secret: the key that signs, or None.
        style: json or slack.
        seconds: the longest time of one try, whatever the receiver does.
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
            ReceiverAwayError: a retry may help.
            ReceiverRefusesError: it will not.
        """
        body, count = as_slack(notices) if self._style == "slack" else (as_json(notices[0]), 1)
        signed = signing.headers(notices[0].id, int(time.time()), body, self._secret)
        response = self._post(body, {"Content-Type": "application/json", **signed})
        status = response.status
        if 200 <= status < 300:  # noqa: PLR2004 - any 2xx
            return count
        if status in _AGAIN or status >= _SERVER_FAULT:
            wait = _seconds(response.headers.get("retry-after"))
            raise ReceiverAwayError(f"the receiver answers with status {status}", wait=wait)
        raise ReceiverRefusesError(f"the receiver answers with status {status}; {_advice(status)}")

    def _post(self, body: bytes, headers: dict[str, str]) -> Response:
        try:
            with HttpTransport(self._url, self._seconds) as http:
                return http.send("POST", self._url, headers, body)
        except TransportError as error:
            problem = ReceiverAwayError(f"the receiver can't be reached: {error}")
        raise problem  # out here it has no context


class RereadWebhook:
    """A webhook whose address and key others may replace in their files: a refusal has them read again.

    Args:
        webhook: the webhook with the address and key as they are now.
        read_again: reads the files, and returns whether one of them holds another value.
    """

    def __init__(self, webhook: Callable[[], Webhook], read_again: Callable[[str], bool]) -> None:
        self._webhook, self._read_again = webhook, read_again

    def send(self, notices: Sequence[Notice]) -> int:
        """Send as ``Webhook.send`` does; if the receiver refuses, once more with what the files hold by now.

        Any final refusal counts, since receivers don't agree on the status for an address or a signature of the past.
        """
        try:
            return self._webhook().send(notices)
        except ReceiverRefusesError as error:
            if not self._read_again(str(error)):
                raise
        return self._webhook().send(notices)


def _seconds(text: str | None) -> float | None:
    """The wait that ``Retry-After`` asks for, if it is a number; dates are ignored."""
    return float(text) if text and re.fullmatch(r"\s*\d{1,9}\s*", text) else None


def _advice(status: int) -> str:
    if status in _REDIRECTS:
        return "redirects are not followed: set notice_url to the real address"
    return (
        "it wants no more of them: set another notice_url" if status == _GONE else "check notice_url and notice_style"
    )
