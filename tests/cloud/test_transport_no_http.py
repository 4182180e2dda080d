"""Responses that break HTTP itself are not retried, and nothing of their content is shown anywhere."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_tools import Job, ask, dump
from cloud_tools import Reader
from credential_tools import LOGIN, Run, all_text, page
from http_server import HttpServer, always, reply
from receiver import Receiver
from servers import Server
from settings_tools import user_login

from sync import logs
from sync.errors import CloudError, ConnectionFailedError, ContractError, RejectedError
from sync.simulator import Simulator, World

CANARY = b"canary-fresh-token"
ILLEGAL = {
    "CR": b"X-Subject-Token: canary-fresh\r-token",
    "CR at the end": b"X-Subject-Token: canary-fresh-token\r",
    "NUL": b"X-Subject-Token: canary-fresh\0-token",
    "vertical tab": b"X-Subject-Token: canary-fresh\v-token",
    "form feed": b"X-Subject-Token: canary-fresh\f-token",
    "blank before the colon": b"X-Subject-Token : canary-fresh-token",
    "no colon": b"X-Subject-Token canary-fresh-token",
    "other header": b"X-Subject-Token: canary-fresh-token\r\nSet-Cookie: canary\0",
    "length": b"X-Subject-Token: canary-fresh-token\r\nContent-Length: canary",
    "coding": b"X-Subject-Token: canary-fresh-token\r\nTransfer-Encoding: canary",
    "chunk": b"X-Subject-Token: canary-fresh-token\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n",
    "endless": b"X-Subject-Token: " + CANARY * 10_000,
}
UNUSABLE = {
    "folded": b"X-Subject-Token: canary-fresh\r\n -token",
    "folded by a tab": b"X-Subject-Token: canary-fresh\r\n\t-token",
    "SOH": b"X-Subject-Token: canary-fresh\x01-token",
    "escape": b"X-Subject-Token: canary-fresh\x1b-token",
    "DEL": b"X-Subject-Token: canary-fresh\x7f-token",
    "Latin-1": b"X-Subject-Token: canary-fresh\xe9-token",
    "twice": b"X-Subject-Token: canary-fresh-token\r\nX-Subject-Token: canary-fresh-token",
}
HEADS = ILLEGAL | UNUSABLE


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that is logged at level debug, even by the HTTP library."""
    root, library = logging.getLogger(), logging.getLogger("httpcore.http11")
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    library.setLevel("DEBUG")
    yield stream
    library.setLevel("NOTSET")
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    logging.captureWarnings(capture=False)


def login_response(head: bytes) -> bytes:
    """A successful login response with these headers."""
    return b"HTTP/1.1 201 Created\r\n" + head + b"\r\nContent-Length: 13\r\n\r\n" + b'{"token": {}}'


@pytest.mark.parametrize("head", HEADS)
def test_a_login_with_a_broken_response_is_not_retried(head: str, logged: io.StringIO) -> None:
    """A broken login response ends the run after one login, and the new token is in no error or log."""
    with HttpServer(always(login_response(HEADS[head]))) as iam, Simulator(World(1, 3)) as cloud:
        run = Run()
        credential = run.token(cloud, user=user_login(iam.url, "reader", LOGIN.password, "acme"))
        with run.client(cloud, credential) as client:
            errors = []
            for _ in range(3):
                with pytest.raises(ContractError) as caught:
                    page(client)
                errors.append(caught.value)
                logging.getLogger("sync").error("it failed", exc_info=caught.value)

    sentence = "is not valid HTTP (RemoteProtocolError)" if head in ILLEGAL else "gives no usable token"
    assert len(iam.asked) == 1
    assert (run.stats.retries, cloud.journal.answers()) == (0, [])
    assert all(sentence in str(error) for error in errors)
    assert "canary" not in "".join(map(all_text, errors))
    assert "it failed" in logged.getvalue()
    assert "canary" not in logged.getvalue()


@pytest.mark.parametrize("head", ["CR", "NUL", "chunk", "folded", "escape"])
def test_no_output_shows_a_token_of_a_broken_response(head: str, server: Server, tmp_path: Path) -> None:
    """The token of a broken response is not in the output, the tables or the notice of the failed run."""
    login = {"USERNAME": "reader", "PASSWORD": LOGIN.password, "DOMAIN": "acme", "LOG_LEVEL": "debug"}
    with (
        HttpServer(always(login_response(HEADS[head]))) as iam,
        Simulator(World(1, 3)) as cloud,
        Receiver() as receiver,
    ):
        hook = {"NOTICE_URL": f"{receiver.url}/", "NOTIFY_AFTER_FAILURES": "1", "IAM_ENDPOINT": iam.url}
        settings = {f"IMAGE_SYNC_{name}": value for name, value in (login | hook).items()}
        job = Job(tmp_path, server.migrated(), cloud, **settings)
        del job.settings["IMAGE_SYNC_TOKEN"]
        done = job("--debug", "run", "--format", "json")

    assert done.code == 1
    assert len(iam.asked) == 1
    assert receiver.kinds == ["failures"]
    assert ask(job.url, "SELECT error FROM inventory.runs") == "ContractError"
    assert done.row["reason"] == ask(job.url, "SELECT reason FROM inventory.runs")
    shown = [done.out, done.err, dump(job.url), receiver.notices]
    assert not any(part in str(shown) for part in ("canary-fresh", "-token", "canary\\"))


@pytest.mark.parametrize(
    "broken",
    [
        b"canary-status\r\n\r\n",
        b"HTTP/1.1 200 canary\0\r\n\r\n",
        b"HTTP/1.1 99 canary\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Auth-Token: canary\rx\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}canary",
    ],
)
def test_a_list_with_a_broken_response_is_not_retried(broken: bytes) -> None:
    """A response that is not valid HTTP would come again, so it is not retried."""
    with HttpServer(always(broken)) as server:
        reader = Reader(server.url)
        error = reader.fails(ContractError)

    assert (len(server.asked), reader.stats.retries) == (1, 0)
    assert f"the answer of {server.url} is not valid HTTP" in str(error)
    assert "canary" not in all_text(error)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Auth-Token: canary",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncanary",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ncanary",
    ],
    ids=["nothing", "head", "body", "chunk"],
)
def test_a_response_that_is_cut_short_is_retried(start: bytes) -> None:
    """A connection that ends too early, in whatever part of the response, is a network fault."""
    with HttpServer(lambda connection, _: connection.sendall(start)) as server:
        reader = Reader(server.url, max_retries=1)
        error = reader.fails(ConnectionFailedError)

    assert (len(server.asked), reader.stats.retries) == (2, 1)
    assert "ended the connection before its answer was whole" in str(error)
    assert "canary" not in all_text(error)


def test_a_redirect_to_an_invalid_address_is_a_redirect() -> None:
    """A redirect to an invalid address gets the same error as any other, without the address."""
    location = "http://canary.example.org:canary/"
    with HttpServer(always(reply(status=302, headers={"Location": location}))) as server:
        reader = Reader(server.url)
        error = reader.fails(RejectedError)

    assert len(server.asked) == 1
    assert "set the endpoint to its real address" in str(error)
    assert "canary" not in all_text(error)


@pytest.mark.parametrize(
    ("response", "error_type", "message"),
    [
        (b"HTTP/1.1 407 canary of the proxy\r\n\r\n", RejectedError, "answers with status 407"),
        (b"HTTP/1.1 502 \r\nX: canary\r\n\r\n", ConnectionFailedError, "answers with status 502"),
        (b"HTTP/1.1 200 OK\r\nX: canary\rx\r\n\r\n", ContractError, "is there a proxy in between?"),
    ],
    ids=["phrase", "no phrase", "illegal"],
)
def test_the_text_of_a_proxy_is_not_shown(
    response: bytes,
    error_type: type[CloudError],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a proxy's response only the status is shown."""
    with HttpServer(always(response)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = Reader("https://iecs.invalid", max_retries=0).fails(error_type)

    assert message in str(error)
    assert "canary" not in all_text(error)
