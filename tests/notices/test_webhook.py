"""How long the outbox waits between tries, and that nothing of a receiver's text is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from http_server import reply
from receiver import Receiver

from sync.domain.notices import Notice
from sync.notices.errors import NoticeError, ReceiverAwayError, ReceiverRefusesError
from sync.notices.outbox import Outbox
from sync.notices.webhook import Webhook

OWN = (0.25, 0.5)  # seconds: the least of our first two waits


class Away:
    """A sender whose receiver is unavailable for some tries and asks for a wait."""

    def __init__(self, wait: float | None, tries: int) -> None:
        self._wait, self._left = wait, tries
        self.moments: list[float] = []

    def send(self, notices: Sequence[Notice]) -> int:
        """Record the time, and fail as long as the receiver is unavailable."""
        self.moments.append(time.monotonic())
        self._left -= 1
        if self._left >= 0:
            raise ReceiverAwayError("away", wait=self._wait)
        return len(notices)

    @property
    def gaps(self) -> list[float]:
        """Seconds between two tries."""
        return [later - earlier for earlier, later in zip(self.moments, self.moments[1:], strict=False)]


def notice(run: int) -> list[Notice]:
    """The one notice of a run."""
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    return [Notice(f"evt_{run:032x}", "unproven", "east", run, moment, sentence="something came about")]


def send(carrier: Away | Webhook) -> None:
    """Send the notice of one run, and wait for it."""
    outbox = Outbox(notice, carrier, budget=8.0)
    outbox(1)
    outbox.close(threading.Event())


@pytest.mark.parametrize("wait", [None, 0.0, 0.01])
def test_a_wait_shorter_than_ours_is_ignored(wait: float | None) -> None:
    """If a receiver asks for a short wait, our own growing waits are kept."""
    sender = Away(wait, 2)
    send(sender)

    assert len(sender.gaps) == 2
    assert all(gap >= least for gap, least in zip(sender.gaps, OWN, strict=True))


def test_a_wait_longer_than_ours_is_kept() -> None:
    """If a receiver asks for a longer wait than ours, every try waits that long."""
    sender = Away(1.2, 2)
    send(sender)

    assert len(sender.gaps) == 2
    assert all(1.2 <= gap < 3 for gap in sender.gaps)


def test_retry_after_0_does_not_shorten_our_waits() -> None:
    """Over HTTP too, ``Retry-After: 0`` does not shorten our waits."""
    with Receiver(*[reply(status=503, headers={"Retry-After": "0"})] * 2) as receiver:
        started = time.monotonic()
        send(Webhook(receiver.address, None, "json"))

        assert len(receiver.asked) == 3
        assert time.monotonic() - started >= sum(OWN)


@pytest.mark.parametrize(
    ("response", "error_type"),
    [
        (b"canary\r\n\r\n", ReceiverAwayError),
        (b"HTTP/1.1 200 canary\0\r\n\r\n", ReceiverAwayError),
        (b"HTTP/1.1 200 OK\r\nX-Subject-Token: canary\rx\r\n\r\n", ReceiverAwayError),
        (b"HTTP/1.1 302 Found\r\nLocation: http://canary.example.org:canary/\r\n\r\n", ReceiverRefusesError),
        (b"HTTP/1.1 503 canary\r\nRetry-After: canary\r\nX-Request-Id: canary\r\n\r\ncanary", ReceiverAwayError),
    ],
    ids=["no HTTP", "phrase", "header", "address", "good"],
)
def test_the_text_of_a_receiver_is_not_shown(response: bytes, error_type: type[NoticeError]) -> None:
    """Of a response only the status is shown, or the kind of fault if it is not HTTP."""
    with Receiver(lambda connection, _: connection.sendall(response)) as receiver:
        with pytest.raises(error_type) as caught:
            Webhook(receiver.address, None, "json").send(notice(1))

        assert "canary" not in f"{caught.value!r} {vars(caught.value)}"
        assert (caught.value.__context__, caught.value.__cause__) == (None, None)


@pytest.mark.parametrize("phrase", [b"canary", b"Proxy Authentication Required: canary"])
def test_the_text_of_a_proxy_is_not_shown(phrase: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason phrase of a proxy that refuses is not shown."""
    with Receiver(lambda connection, _: connection.sendall(b"HTTP/1.1 407 " + phrase + b"\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(ReceiverAwayError, match=r"the proxy 127\.0\.0\.1:\d+ answers with status 407") as caught:
            Webhook("https://receiver.invalid/hook", None, "json").send(notice(1))

    assert "canary" not in f"{caught.value!r} {vars(caught.value)}"
