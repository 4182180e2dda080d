"""How notices reach their receiver, or do not: real HTTP, a receiver that does as it likes, and bounded time."""

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
from http_server import Asked, HttpServer, reply, reset
from receiver import SECRET, Receiver, assert_signed, elsewhere

from sync import logs
from sync.domain.notices import Notice
from sync.errors import NoticeError, ReceiverAwayError, ReceiverRefusesError, StoreError
from sync.logs.formatter import FIELDS
from sync.notices.outbox import Outbox
from sync.notices.webhook import Webhook

SOON = 0.6  # seconds of a test's patience with what never comes
GONE = {301: "redirects", 302: "redirects", 307: "redirects", 400: "notice_style", 401: "notice_url", 404: "notice_url"}


def notice(number: int = 1, **known: Any) -> Notice:
    """A notice of a run."""
    usual = {"sentence": "something came about", "examples": ()}
    return Notice(f"evt_{number:032x}", "unproven", "east", number, datetime(2026, 11, 24, tzinfo=UTC), **usual | known)


def derive(run: int) -> list[Notice]:
    """Each run has one thing to tell."""
    return [notice(run)]


def silence(connection: socket.socket, _: Asked) -> None:
    """Never answer; the connection stays open until the other side closes it."""
    connection.recv(1)


def drip(connection: socket.socket, _: Asked) -> None:
    """Send an answer's head, a byte each tenth of a second, that never ends."""
    while True:
        connection.sendall(b"x")
        time.sleep(0.1)


def endless(connection: socket.socket, _: Asked) -> None:
    """Answer well, with a body that never ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


def hang_up(connection: socket.socket, _: Asked) -> None:
    """Close the connection instead of an answer."""
    reset(connection)


class Logged:
    """What is logged meanwhile."""

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
    """What the test logs."""
    caplog.set_level("DEBUG")
    return Logged(caplog)


def webhook(receiver: Receiver, **options: Any) -> Webhook:
    """A webhook of short patience."""
    return Webhook(receiver.address, SECRET, options.pop("style", "json"), **{"seconds": SOON} | options)


def told(receiver: Receiver, runs: Sequence[int] = (1,), *, budget: float = 5.0) -> float:
    """Tell of runs, and end; how long the end took."""
    outbox = Outbox(derive, webhook(receiver), budget=budget)
    for run in runs:
        outbox(run)
    began = time.monotonic()
    outbox.close(threading.Event())
    return time.monotonic() - began


def test_each_notice_is_one_signed_request() -> None:
    """With its own id, its JSON as the schema has it, and nothing said of what follows."""
    with Receiver() as receiver:
        told(receiver, (1, 2, 3))

        assert [each["run"] for each in receiver.notices] == [1, 2, 3]
        assert_signed(receiver.asked)
        assert {each.line for each in receiver.asked} == {"POST /services/T000/B000/canary-of-the-address HTTP/1.1"}
        assert {each.headers["content-type"] for each in receiver.asked} == {"application/json"}


def test_chat_gets_one_message() -> None:
    """Slack's form: all that waits in one request."""
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


@pytest.mark.parametrize("answer", AWAY.values(), ids=AWAY)
def test_receiver_that_is_away_is_tried_again(answer: Any, logged: Logged) -> None:
    """With the same id, so that it can drop doubles, and a signature of the new moment; and nothing is said."""
    with Receiver(answer) as receiver:
        told(receiver)

        assert len(receiver.asked) == 2
        assert len({each.headers["webhook-id"] for each in receiver.asked}) == 1
        assert_signed(receiver.asked)
    assert logged.lines == []


@pytest.mark.parametrize("answer", AWAY.values(), ids=AWAY)
def test_receiver_that_stays_away_costs_a_bounded_time(answer: Any, logged: Logged) -> None:
    """A few tries, then one warning that says why, which runs, and what to do; and no part of the address."""
    with Receiver(*[answer] * 20) as receiver:
        took = told(receiver, (1, 2), budget=0.8)

        assert took < 0.8 + SOON
        assert 1 <= len(receiver.asked) < 6
    ((event, fields),) = logged.lines
    assert (event, fields["runs"]) == ("notices not sent", [1, 2])
    assert "image-sync notify RUN" in fields["advice"]
    assert fields["reason"]
    assert not any(part in str(fields) for part in ("canary", "127.0.0.1", "http:"))


def test_one_try_ends_whatever_the_receiver_does() -> None:
    """The limit holds for the whole try, for a head that drips too; of a body nothing is read."""
    with Receiver(drip, endless) as receiver:
        hook, began = webhook(receiver, seconds=0.3), time.monotonic()
        with pytest.raises(ReceiverAwayError):
            hook.send([notice()])

        assert hook.send([notice()]) == 1
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(("status", "advice"), GONE.items())
def test_what_is_refused_is_not_tried_again(status: int, advice: str, logged: Logged) -> None:
    """Nor is a redirect followed; one warning, and the next notice goes its way."""
    with elsewhere() as other, Receiver(reply(status=status, headers={"Location": other.address})) as receiver:
        told(receiver, (1, 2))

        assert [each["run"] for each in receiver.notices] == [1, 2]
    ((event, fields),) = logged.lines
    assert (event, fields["run"]) == ("notice refused", 1)
    assert str(status) in fields["reason"]
    assert advice in fields["reason"]
    assert "canary" not in str(fields)


@pytest.mark.parametrize("header", ["1", "0", "-5", "soon", "Wed, 21 Oct 2065 07:28:00 GMT", ""])
def test_a_wait_that_is_asked_for_is_kept(header: str) -> None:
    """A second is waited for; what makes no sense is as if nothing were asked."""
    with Receiver(reply(status=429, headers={"Retry-After": header})) as receiver:
        outbox, began = Outbox(derive, webhook(receiver)), time.monotonic()
        outbox(1)
        outbox.close(threading.Event())
        took = time.monotonic() - began

        assert len(receiver.asked) == 2
        assert (took >= 1.0) == (header == "1")


def test_a_wait_beyond_the_end_is_not_begun(logged: Logged) -> None:
    """Asked to wait an hour, the program ends at once, and says what was not sent."""
    with Receiver(*[reply(status=503, headers={"Retry-After": "3600"})] * 9) as receiver:
        took = told(receiver)

        assert len(receiver.asked) == 1
        assert took < SOON * 2
    assert [event for event, _ in logged.lines] == ["notices not sent"]


def test_a_stop_from_outside_makes_the_end_short() -> None:
    """Told to stop, the program waits two seconds, not ten."""
    stop = threading.Event()
    stop.set()
    with Receiver(*[silence] * 9) as receiver:
        outbox = Outbox(derive, webhook(receiver, seconds=60))
        outbox(1)
        began = time.monotonic()
        outbox.close(stop)

        assert 1.5 < time.monotonic() - began < 4


def test_a_run_does_not_wait() -> None:
    """Telling returns at once, whatever the receiver does, and however many runs there are."""
    with Receiver(*[silence] * 9) as receiver:
        outbox, began = Outbox(derive, webhook(receiver), budget=0.1), time.monotonic()
        for run in range(100):
            outbox(run)
        took = time.monotonic() - began
        waited_for = [not thread.daemon for thread in threading.enumerate() if thread.name == "notices"]
        outbox.close(threading.Event())

    assert took < SOON / 2
    assert waited_for == [False]


def test_runs_that_no_one_got_to_are_told_as_lost(logged: Logged) -> None:
    """The database does not answer: the end comes all the same, and names them all."""
    gate = threading.Event()

    def waits(_: int) -> list[Notice]:
        gate.wait(20)
        return []

    with Receiver() as receiver:
        outbox = Outbox(waits, webhook(receiver), budget=0.2)
        for run in (1, 2, 3):
            outbox(run)
        outbox.close(threading.Event())
        gate.set()

    ((event, fields),) = logged.lines
    assert (event, fields["runs"]) == ("notices not sent", [1, 2, 3])


def test_what_waits_is_sent_when_the_receiver_is_back(logged: Logged) -> None:
    """While the program goes on: nothing is lost, in the order in which it came about."""
    with Receiver(*[reply(status=503)] * 3) as receiver:
        outbox = Outbox(derive, webhook(receiver), budget=0.2)
        outbox(1)
        outbox(2)
        until(lambda: len(receiver.asked) == 5)
        outbox.close(threading.Event())

        assert [each["run"] for each in receiver.notices] == [1, 1, 1, 1, 2]
    assert [event for event, _ in logged.lines] == ["notices wait"]


def test_fault_of_one_run_does_not_silence_the_next(logged: Logged) -> None:
    """The database could not be asked, or worse: a warning each, and the others are told."""

    def fails_first(run: int) -> list[Notice]:
        if run < 3:
            raise (StoreError("the database is away"), ZeroDivisionError("unforeseen"))[run - 1]
        return derive(run)

    with Receiver() as receiver:
        outbox = Outbox(fails_first, webhook(receiver))
        for run in (1, 2, 3):
            outbox(run)
        outbox.close(threading.Event())

        assert [each["run"] for each in receiver.notices] == [3]
    assert [(event, fields["run"]) for event, fields in logged.lines] == [
        ("notices not made", 1),
        ("notices not made", 2),
    ]


def test_nothing_to_tell_starts_nothing() -> None:
    """No thread, no connection, no wait."""
    with Receiver() as receiver:
        outbox = Outbox(derive, webhook(receiver))
        outbox(None)
        outbox.close(threading.Event())

        assert receiver.connections == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "notices"]


def test_names_of_hosts_are_not_told() -> None:
    """No such name, nobody listens, a certificate of another: the reason says what, and not where."""
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


def test_webhook_does_not_show_its_address() -> None:
    """Nor does the error of a refusal."""
    with Receiver(reply(b"canary", status=404)) as receiver:
        hook = webhook(receiver)
        with pytest.raises(ReceiverRefusesError) as caught:
            hook.send([notice()])

    assert "canary" not in f"{hook!r} {caught.value} {caught.value!r}"


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """What a test started ends with it."""
    yield
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "notices"])
    assert logs.mask("nothing") == "nothing"


def until(holds: Callable[[], object]) -> None:
    """Wait for something that must come about."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)
