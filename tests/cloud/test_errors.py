"""Each response that is not a list becomes one error, which says what to do and quotes the cloud."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import effects
import httpx
import pytest
from cloud_tools import Reader
from http_server import HttpServer, always, library_errors, reply
from hypothesis import given
from hypothesis import strategies as st

from sync.cloud.errors import failure, http_date, unreachable
from sync.domain.apis import IEC
from sync.domain.apis.api import Api
from sync.errors import (
    CloudError,
    ConnectionFailedError,
    ContractError,
    ForbiddenError,
    RejectedError,
    ServerFaultError,
    ThrottledError,
    TransientError,
    UnauthorizedError,
)
from sync.simulator import Simulator
from sync.transport import translate

FORMATS = {
    "iec": {"error_msg": "said so", "error_code": "X.1"},
    "gateway": {"error_msg": "said so", "error_code": "X.1", "request_id": "abc"},
    "iam": {"error": {"code": "X.1", "message": "said so", "title": "No"}},
    "camel": {"errorCode": "X.1", "errorMsg": "said so"},
    "list": [{"errorCode": "X.1", "errorMsg": "said so"}],
}


def failed(status: int, body: object = b"", *, api: Api | None = None, **headers: str) -> CloudError:
    """The error made from a response."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return failure(status, named, content, api=api)


@pytest.mark.parametrize(
    ("status", "error_type"),
    [
        (204, RejectedError),
        (302, RejectedError),
        (304, RejectedError),
        (400, RejectedError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, RejectedError),
        (413, RejectedError),
        (414, RejectedError),
        (429, ThrottledError),
        (494, RejectedError),
        (500, ServerFaultError),
        (502, ServerFaultError),
        (503, ServerFaultError),
        (504, ServerFaultError),
        (599, ServerFaultError),
    ],
)
def test_the_status_decides_the_error(status: int, error_type: type[CloudError]) -> None:
    """The status determines the type of the error, since the gateway sends one code, APIGW.0201, with many statuses."""
    error = failed(status, {"error_msg": "no", "error_code": "APIGW.0201", "request_id": "abc"})

    assert type(error) is error_type
    assert (error.status, error.code, error.request_id) == (status, "APIGW.0201", "abc")
    assert f"HTTP {status}, APIGW.0201, request abc" in str(error)


def test_a_code_that_repeats_the_status_is_shown_once() -> None:
    """The identity service of OpenStack gives the HTTP status as the code of its error."""
    assert str(CloudError("no", status=401, code="401", request_id="abc")) == "no (HTTP 401, request abc)"


@pytest.mark.parametrize(
    ("code", "transient"), [("IEC.000000", True), ("IEC.000006", False), ("IEC.000007", False), ("IEC.000008", False)]
)
def test_only_one_400_is_transient(code: str, transient: bool) -> None:  # noqa: FBT001 - the outcome
    """400 IEC.000000 means "internal, retry later"; any other 400 is final."""
    assert isinstance(failed(400, {"error_msg": "no", "error_code": code}, api=IEC), TransientError) is transient


@pytest.mark.parametrize("name", FORMATS)
def test_every_error_format_is_understood(name: str) -> None:
    """Code and text are found in each of the formats in which this cloud reports errors."""
    error = failed(400, FORMATS[name])

    assert error.code == "X.1"
    assert 'the cloud says "said so"' in str(error)


@pytest.mark.parametrize("status", [414, 431, 494])
def test_a_request_that_is_too_long(status: int) -> None:
    """If address or headers are too long for the server, the advice names the endpoint and what makes them long."""
    assert "check the endpoint, and the length of filter and token" in str(failed(status))


def test_a_web_page_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """An HTML response is said to come from something in between; only the log quotes it.

    The log has its beginning, on one line and without what looks like a token.
    """
    token = "A1b2" * 20
    error = failed(503, f"\n <html><body>Log in\nto CoolNet {token} {'x y ' * 2000}</body></html>".encode())

    assert "something in between answers in place of the cloud" in str(error)
    assert "CoolNet" not in str(error)
    (record,) = caplog.records
    begins = str(vars(record))
    assert "<html><body>Log in to CoolNet ***" in begins
    assert token not in begins
    assert len(begins) < 2000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"[[]]",
        b"{}",
        b'"no"',
        b"7",
        b'{"error": null}',
        b'{"error_code": {"a": 1}, "error_msg": ["no"], "request_id": null}',
        b"\xff\xfe\x00",
        b"\x1f\x8b\x08",
        b"[" * 100_000,
        b'{"error_code": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_any_body_of_an_error_is_harmless(body: bytes) -> None:
    """Whatever the body is, the error is the one for its status."""
    error = failed(403, body)

    assert type(error) is ForbiddenError
    assert "grant the permission" in str(error)
    assert error.code is None


def test_a_byte_order_mark_hides_no_error() -> None:
    """The code and the text of an error are read behind a byte order mark."""
    error = failed(403, b'\xef\xbb\xbf{"error_code": "IEC.0003", "error_msg": "no"}')

    assert (error.code, 'the cloud says "no"' in str(error)) == ("IEC.0003", True)


def test_control_characters_of_a_server_are_removed() -> None:
    """Control characters, colours and line breaks are removed from a server's text, and it is cut."""
    error = failed(400, {"error_msg": "a\x1b[31mred\r\nlog line\u202e" + "x" * 10_000, "error_code": "E\n1"})

    assert str(error).isprintable()
    assert len(str(error)) < 600


def test_the_request_id_may_come_from_a_header() -> None:
    """If the body has no request id, the one of the header is used."""
    assert failed(500, b"", X_Request_Id="r-1").request_id == "r-1"
    assert failed(500, {"request_id": "r-2"}, X_Request_Id="r-1").request_id == "r-2"
    assert failed(500, {"request_id": "no id"}, X_Request_Id="r-1").request_id == "r-1"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("policy user over ratelimit,limit:200,time:5 minute", 300),
        ("policy ip over ratelimit,limit:5,time:1 second", 1),
        ("policy user over ratelimit,limit:5,time:2 hour", 7200),
        ("policy user over ratelimit,limit:5,time:1 day", 86_400),
        ("policy user over ratelimit,limit:5,time:5 fortnight", None),
        ("policy user over ratelimit", None),
        ("time:999999999999 day", None),
    ],
)
def test_the_throttling_window_is_read_from_the_text(text: str, seconds: float | None) -> None:
    """A 429 names its window in its text, and that is how long to wait."""
    error = failed(429, {"error_msg": text, "error_code": "APIGW.0308"})

    assert isinstance(error, ThrottledError)
    assert error.wait == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("315360000", 315_360_000),
        ("-1", 300),
        ("1.5", 300),
        ("soon", 300),
        ("", 300),
        ("9" * 40, 300),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 300),
        ("Wed, 99 Oct 2037 07:28:00 GMT", 300),
        ("Wed, 21 Oct 99999 07:28:00 GMT", 300),
        ("nan", 300),
    ],
)
def test_a_sensible_retry_after_is_used(value: str, seconds: float) -> None:
    """A Retry-After in seconds takes precedence over the window in the text, unless it makes no sense."""
    error = failed(429, {"error_msg": "time:5 minute"}, Retry_After=value)

    assert isinstance(error, ThrottledError)
    assert error.wait == seconds


def test_retry_after_can_be_a_date() -> None:
    """A Retry-After with an HTTP date is the time to wait for."""
    then = datetime.now(UTC) + timedelta(minutes=10)
    error = failed(429, b"", Retry_After=format_datetime(then, usegmt=True))

    assert isinstance(error, ThrottledError)
    assert error.wait is not None
    assert 500 < error.wait <= 600


@given(st.text(alphabet=st.sampled_from('0123456789 :,-+GMTZOctWed()\\"\0é'), max_size=40))
def test_any_date_header_is_harmless(text: str) -> None:
    """Any text as a date is a time with a zone, or None."""
    moment = http_date(text)

    assert moment is None or moment.tzinfo is not None


@pytest.mark.parametrize("error_type", library_errors())
def test_every_error_of_the_library_becomes_ours(error_type: type[httpx.RequestError]) -> None:
    """Every HTTP library error becomes one of ours, without its request and without text of another machine."""
    request = httpx.Request("GET", "http://127.0.0.1/", headers={"X-Auth-Token": "canary-token"})
    error = unreachable(translate(error_type("407 canary-words", request=request), 1.0), "https://iec.example.org")

    assert type(error) in {ConnectionFailedError, RejectedError, ContractError}
    assert "https://iec.example.org" in str(error)
    assert "canary-token" not in str(error)
    assert ("canary-words" in str(error)) == issubclass(error_type, httpx.NetworkError)


def test_permanent_errors_are_not_retried(cloud: Simulator) -> None:
    """Over HTTP, a permanent error is not retried, and it has the status and the gateway's request id."""
    for status, error_type in (
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, RejectedError),
        (413, RejectedError),
    ):
        cloud.faults.add(effects.status(status))
        reader = Reader.of(cloud)
        error = reader.fails(error_type)

        assert reader.stats.requests == 1
        assert error.status == status
        assert error.request_id == cloud.journal.answers()[-1].detail["request_id"]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    """A redirect is never followed, so its address gets no token; the error says which setting to change."""
    with HttpServer(always(reply({"images": [], "total": 0}))) as elsewhere:
        redirect = reply(status=status, headers={"Location": f"{elsewhere.url}/v1/images"})
        with HttpServer(always(redirect)) as endpoint:
            error = Reader(endpoint.url).fails(RejectedError)

    assert elsewhere.connections == 0
    assert len(endpoint.asked) == 1
    assert status == 300 or "set the endpoint to its real address" in str(error)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "//", "", "http://[", "gopher://127.0.0.1/"])
def test_an_invalid_redirect_is_an_ordinary_error(location: str) -> None:
    """The address of a redirect is not even parsed."""
    with HttpServer(always(reply(status=302, headers={"Location": location}))) as endpoint:
        error = Reader(endpoint.url).fails(RejectedError)

    assert error.status == 302
