"""How long a receiver of notices is left alone, and that none of its words are shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from http_server import reply
from receiver import Receiver

from sync.domain.notices import Notice
from sync.errors import NoticeError, ReceiverAwayError, ReceiverRefusesError
from sync.notices.outbox import Outbox
from sync.notices.webhook import Webhook

OWN = (0.25, 0.5)  # seconds that the first two waits of ours take at least


class Away:
    """A carrier whose receiver is away for a few tries, and says how long it wants to be left alone."""

    def __init__(self, wait: float | None, tries: int) -> None:
        self._wait, self._left = wait, tries
        self.moments: list[float] = []

    def send(self, notices: Sequence[Notice]) -> int:
        """Note the moment, and fail as long as the receiver is away."""
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
    """Each run has one thing to tell."""
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    return [Notice(f"evt_{run:032x}", "unproven", "east", run, moment, sentence="something came about")]


def send(carrier: Away | Webhook) -> None:
    """Tell of one run, and wait for it."""
    outbox = Outbox(notice, carrier, budget=8.0)
    outbox(1)
    outbox.close(threading.Event())


@pytest.mark.parametrize("asked", [None, 0.0, 0.01])
def test_a_shorter_wait_that_is_asked_for_is_not_kept(asked: float | None) -> None:
    """A receiver that wants to be tried at once gets our own waits all the same, and they grow."""
    carrier = Away(asked, 2)
    send(carrier)

    assert len(carrier.gaps) == 2
    assert all(gap >= least for gap, least in zip(carrier.gaps, OWN, strict=True))


def test_a_longer_wait_that_is_asked_for_is_kept() -> None:
    """Longer than ours of the first time (0.5 s at most) and the second (1 s at most): each try waits for it."""
    carrier = Away(1.2, 2)
    send(carrier)

    assert len(carrier.gaps) == 2
    assert all(1.2 <= gap < 3 for gap in carrier.gaps)


def test_a_receiver_that_says_at_once_is_not_pressed() -> None:
    """The same over HTTP: ``Retry-After: 0`` does not make two tries out of one moment."""
    with Receiver(*[reply(status=503, headers={"Retry-After": "0"})] * 2) as receiver:
        began = time.monotonic()
        send(Webhook(receiver.address, None, "json"))

        assert len(receiver.asked) == 3
        assert time.monotonic() - began >= sum(OWN)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"canary\r\n\r\n", ReceiverAwayError),
        (b"HTTP/1.1 200 canary\0\r\n\r\n", ReceiverAwayError),
        (b"HTTP/1.1 200 OK\r\nX-Subject-Token: canary\rx\r\n\r\n", ReceiverAwayError),
        (b"HTTP/1.1 302 Found\r\nLocation: http://canary.example.org:canary/\r\n\r\n", ReceiverRefusesError),
        (b"HTTP/1.1 503 canary\r\nRetry-After: canary\r\nX-Request-Id: canary\r\n\r\ncanary", ReceiverAwayError),
    ],
    ids=["no HTTP", "phrase", "header", "address", "good"],
)
def test_the_words_of_a_receiver_are_not_shown(answer: bytes, kind: type[NoticeError]) -> None:
    """Of its answer only the status counts, and of one that is no HTTP only what kind of fault it is."""
    with Receiver(lambda connection, _: connection.sendall(answer)) as receiver:
        with pytest.raises(kind) as caught:
            Webhook(receiver.address, None, "json").send(notice(1))

        assert "canary" not in f"{caught.value!r} {vars(caught.value)}"
        assert (caught.value.__context__, caught.value.__cause__) == (None, None)


@pytest.mark.parametrize("phrase", [b"canary", b"Proxy Authentication Required: canary"])
def test_the_words_of_a_proxy_are_not_shown(phrase: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the phrase with which a proxy refuses to carry a notice."""
    with Receiver(lambda connection, _: connection.sendall(b"HTTP/1.1 407 " + phrase + b"\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(ReceiverAwayError, match="the proxy answers with status 407") as caught:
            Webhook("https://receiver.invalid/hook", None, "json").send(notice(1))

    assert "canary" not in f"{caught.value!r} {vars(caught.value)}"
