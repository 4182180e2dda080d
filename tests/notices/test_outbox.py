"""How notices are delivered over real HTTP, whatever the receiver does, and in bounded time."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme
from cli_tools import until
from http_server import Asked, HttpServer, reply, reset
from receiver import SECRET, Receiver, assert_signed, elsewhere

from sync import logs
from sync.domain.notices import Notice
from sync.errors import StoreError
from sync.logs.formatter import FIELDS
from sync.notices.errors import NoticeError, ReceiverAwayError, ReceiverRefusesError
from sync.notices.outbox import Outbox
from sync.notices.webhook import Webhook

SOON = 0.6  # seconds: the timeout of a try in these tests
GONE = {301: "redirects", 302: "redirects", 307: "redirects", 400: "notice_style", 401: "notice_url", 404: "notice_url"}


def notice(number: int = 1, **options: Any) -> Notice:
    """A notice of a run."""
    defaults = {"sentence": "something came about", "examples": ()}
    return Notice(
        f"evt_{number:032x}", "unproven", "east", number, datetime(2026, 11, 24, tzinfo=UTC), **defaults | options
    )


def derive(run: int) -> list[Notice]:
    """The one notice of a run."""
    return [notice(run)]


def silence(connection: socket.socket, _: Asked) -> None:
    """Never respond; the connection stays open until the other side closes it."""
    connection.recv(1)


def drip(connection: socket.socket, _: Asked) -> None:
    """Respond with an endless header, one byte every tenth of a second."""
    while True:
        connection.sendall(b"x")
        time.sleep(0.1)


def endless(connection: socket.socket, _: Asked) -> None:
    """Respond well, but with an endless body."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


def hang_up(connection: socket.socket, _: Asked) -> None:
    """Close the connection without a response."""
    reset(connection)


class Logged:
    """The log lines of a test."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def lines(self) -> list[tuple[str, dict[str, Any]]]:
        """Events of warnings and worse, with their fields."""
        return [
            (record.getMessage(), record.__dict__.get(FIELDS, {}))
            for record in self._caplog.records
            if record.levelname in {"WARNING", "ERROR"}
        ]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    """The log lines of the test."""
    caplog.set_level("DEBUG")
    return Logged(caplog)


def webhook(receiver: Receiver, **options: Any) -> Webhook:
    """A webhook with a short timeout."""
    return Webhook(receiver.address, SECRET, options.pop("style", "json"), **{"seconds": SOON} | options)


def send_notices(receiver: Receiver, runs: Sequence[int] = (1,), *, budget: float = 5.0) -> float:
    """Send the notices of some runs and close the outbox; the seconds that closing took."""
    outbox = Outbox(derive, webhook(receiver), budget=budget)
    for run in runs:
        outbox(run)
    started = time.monotonic()
    outbox.close(threading.Event())
    return time.monotonic() - started


def test_each_notice_is_one_signed_request() -> None:
    """Each notice is one signed request with its own id and JSON as in the schema."""
    with Receiver() as receiver:
        send_notices(receiver, (1, 2, 3))

        assert [request["run"] for request in receiver.notices] == [1, 2, 3]
        assert_signed(receiver.asked)
        assert {request.line for request in receiver.asked} == {
            "POST /services/T000/B000/canary-of-the-address HTTP/1.1"
        }
        assert {request.headers["content-type"] for request in receiver.asked} == {"application/json"}


def test_chat_gets_one_message() -> None:
    """In Slack's format all waiting notices are one message."""
    with Receiver() as receiver:
        count = webhook(receiver, style="slack").send([notice(1), notice(2)])

        assert count == 2
        assert json.loads(receiver.asked[0].body)["text"].splitlines() == [
            "east (run 1): something came about",
            "east (run 2): something came about",
        ]


AWAY: dict[str, bytes | Callable[[socket.socket, Asked], None]] = {
    "fault": reply(status=500),
    "throttled": reply(status=429),
    "unavailable": reply(status=503),
    "hangs up": hang_up,
    "silent": silence,
    "drips": drip,
    "garbage": b"this is no HTTP\r\n\r\n",
}


@pytest.mark.parametrize("response", AWAY.values(), ids=AWAY)
def test_an_unavailable_receiver_is_tried_again(response: Any, logged: Logged) -> None:
    """The retry has the same id, so that duplicates can be dropped, and a new signature; nothing is logged."""
    with Receiver(response) as receiver:
        send_notices(receiver)

        assert len(receiver.asked) == 2
        assert len({request.headers["webhook-id"] for request in receiver.asked}) == 1
        assert_signed(receiver.asked)
    assert logged.lines == []


@pytest.mark.parametrize("response", AWAY.values(), ids=AWAY)
def test_a_receiver_that_stays_unavailable_costs_bounded_time(response: Any, logged: Logged) -> None:
    """After a few tries one warning gives the reason, the runs and what to do, without any part of the URL."""
    with Receiver(*[response] * 20) as receiver:
        seconds = send_notices(receiver, (1, 2), budget=0.8)

        assert seconds < 0.8 + SOON
        assert 1 <= len(receiver.asked) < 6
    ((event, fields),) = logged.lines
    assert (event, fields["runs"]) == ("notices not sent", [1, 2])
    assert "image-sync notify RUN" in fields["advice"]
    assert fields["reason"]
    assert not any(part in str(fields) for part in ("canary", "127.0.0.1", "http:"))


def test_one_try_ends_whatever_the_receiver_does() -> None:
    """One try ends in time even if the header arrives byte by byte, and the body is not read."""
    with Receiver(drip, endless) as receiver:
        hook, started = webhook(receiver, seconds=0.3), time.monotonic()
        with pytest.raises(ReceiverAwayError):
            hook.send([notice()])

        assert hook.send([notice()]) == 1
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(("status", "advice"), GONE.items())
def test_a_refused_notice_is_not_tried_again(status: int, advice: str, logged: Logged) -> None:
    """A refusal is not retried, nor a redirect followed; it is logged once, and the next notice is sent."""
    with elsewhere() as other, Receiver(reply(status=status, headers={"Location": other.address})) as receiver:
        send_notices(receiver, (1, 2))

        assert [sent["run"] for sent in receiver.notices] == [1, 2]
    ((event, fields),) = logged.lines
    assert (event, fields["run"]) == ("notice refused", 1)
    assert str(status) in fields["reason"]
    assert advice in fields["reason"]
    assert "canary" not in str(fields)


@pytest.mark.parametrize("header", ["1", "0", "-5", "soon", "Wed, 21 Oct 2065 07:28:00 GMT", ""])
def test_a_sensible_retry_after_is_kept(header: str) -> None:
    """A Retry-After of one second is kept, and one that makes no sense is ignored."""
    with Receiver(reply(status=429, headers={"Retry-After": header})) as receiver:
        outbox, started = Outbox(derive, webhook(receiver)), time.monotonic()
        outbox(1)
        outbox.close(threading.Event())
        seconds = time.monotonic() - started

        assert len(receiver.asked) == 2
        assert (seconds >= 1.0) == (header == "1")


def test_a_wait_beyond_the_end_is_not_started(logged: Logged) -> None:
    """If the receiver asks for an hour, the program ends at once and logs what was not sent."""
    with Receiver(*[reply(status=503, headers={"Retry-After": "3600"})] * 9) as receiver:
        seconds = send_notices(receiver)

        assert len(receiver.asked) == 1
        assert seconds < SOON * 2
    assert [event for event, _ in logged.lines] == ["notices not sent"]


def test_a_stop_shortens_the_end() -> None:
    """After a stop the program waits two seconds for its notices, not ten."""
    stop = threading.Event()
    stop.set()
    with Receiver(*[silence] * 9) as receiver:
        outbox = Outbox(derive, webhook(receiver, seconds=60))
        outbox(1)
        started = time.monotonic()
        outbox.close(stop)

        assert 1.5 < time.monotonic() - started < 4


def test_a_run_does_not_wait() -> None:
    """Handing over a run returns at once, whatever the receiver does and however many runs there are."""
    with Receiver(*[silence] * 9) as receiver:
        outbox, started = Outbox(derive, webhook(receiver), budget=0.1), time.monotonic()
        for run in range(100):
            outbox(run)
        seconds = time.monotonic() - started
        waited_for = [not thread.daemon for thread in threading.enumerate() if thread.name == "notices"]
        outbox.close(threading.Event())

    assert seconds < SOON / 2
    assert waited_for == [False]


def test_runs_without_their_notices_are_logged(logged: Logged) -> None:
    """If the database does not respond, the program still ends and logs the runs without notices."""
    gate = threading.Event()

    def derive_slowly(_: int) -> list[Notice]:
        gate.wait(20)
        return []

    with Receiver() as receiver:
        outbox = Outbox(derive_slowly, webhook(receiver), budget=0.2)
        for run in (1, 2, 3):
            outbox(run)
        outbox.close(threading.Event())
        gate.set()

    ((event, fields),) = logged.lines
    assert (event, fields["runs"]) == ("notices not sent", [1, 2, 3])


def test_waiting_notices_are_sent_when_the_receiver_is_back(logged: Logged) -> None:
    """While the program runs, no notice is lost, and their order is kept."""
    with Receiver(*[reply(status=503)] * 3) as receiver:
        outbox = Outbox(derive, webhook(receiver), budget=0.2)
        outbox(1)
        outbox(2)
        until(lambda: len(receiver.asked) == 5)
        outbox.close(threading.Event())

        assert [sent["run"] for sent in receiver.notices] == [1, 1, 1, 1, 2]
    assert [event for event, _ in logged.lines] == ["notices wait"]


def test_an_error_of_one_run_does_not_affect_the_next(logged: Logged) -> None:
    """If the notices of a run can't be made, that is logged, and those of other runs are sent."""

    def fails_first(run: int) -> list[Notice]:
        if run < 3:
            raise (StoreError("the database is away"), ZeroDivisionError("unforeseen"))[run - 1]
        return derive(run)

    with Receiver() as receiver:
        outbox = Outbox(fails_first, webhook(receiver))
        for run in (1, 2, 3):
            outbox(run)
        outbox.close(threading.Event())

        assert [sent["run"] for sent in receiver.notices] == [3]
    assert [(event, fields["run"]) for event, fields in logged.lines] == [
        ("notices not made", 1),
        ("notices not made", 2),
    ]


def test_an_unforeseen_error_with_one_notice_does_not_affect_the_next(logged: Logged) -> None:
    """What nobody foresaw in sending loses one notice, with a line that names its run; the next one is sent."""
    sent: list[int] = []

    class Breaking:
        def send(self, notices: Sequence[Notice]) -> int:
            if notices[0].run == 1:
                raise RuntimeError("unforeseen, with password=canary")
            sent.append(notices[0].run)
            return 1

    outbox = Outbox(derive, Breaking())
    outbox(1)
    outbox(2)
    outbox.close(threading.Event())

    assert sent == [2]
    ((event, fields),) = logged.lines
    assert (event, fields["run"]) == ("notice not sent", 1)
    assert fields["reason"].startswith("unexpected RuntimeError: unforeseen, with password=***; please report it")


def test_without_a_run_nothing_is_started() -> None:
    """Without a run there is no thread, connection or wait."""
    with Receiver() as receiver:
        outbox = Outbox(derive, webhook(receiver))
        outbox(None)
        outbox.close(threading.Event())

        assert receiver.connections == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "notices"]


def test_names_of_hosts_are_not_shown() -> None:
    """An error says what went wrong, but shows no part of the URL or of a certificate."""
    reasons = []
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example.org").configure_cert(context)
    with HttpServer(lambda *_: None, context) as server:
        for url in ("http://no-such-name.invalid/canary", "http://127.0.0.1:1/canary", server.url + "/canary"):
            with pytest.raises(NoticeError) as caught:
                Webhook(url, None, "json", seconds=SOON).send([notice()])
            reasons.append(str(caught.value))
            assert (caught.value.__context__, caught.value.__cause__) == (None, None)

    assert not any(part in text for text in reasons for part in ("canary", "127.0.0.1", "invalid", "example"))
    assert "refused" in reasons[1]
    assert "certificate" in reasons[2]


def test_a_webhook_does_not_show_its_url() -> None:
    """Neither the repr of a webhook nor the error of a refusal shows the URL or the response."""
    with Receiver(reply(b"canary", status=404)) as receiver:
        hook = webhook(receiver)
        with pytest.raises(ReceiverRefusesError) as caught:
            hook.send([notice()])

    assert "canary" not in f"{hook!r} {caught.value} {caught.value!r}"


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A test leaves no thread behind."""
    yield
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "notices"])
    assert logs.mask("nothing") == "nothing"
