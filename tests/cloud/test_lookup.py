"""One image, looked up by its id: only a clear answer about it says that it is gone."""

from __future__ import annotations

import itertools
import socket

import pytest
from cloud_tools import Reader
from http_server import Asked, HttpServer, always, reply

from sync.domain.apis import GLANCE, IMS
from sync.domain.run import Confirmation

ID = "6d2b6a53-3c1e-4b1c-9d6c-0d1a2c5b7e11"
GONE = f"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1>No image found with ID {ID}</body>"


def looked_up(answer: bytes) -> Confirmation:
    """What a lookup makes of this answer."""
    with HttpServer(always(answer)) as server:
        return Reader(server.url, api=GLANCE, max_retries=0).ask([ID])


def test_the_api_says_that_it_is_gone() -> None:
    """An image is gone if the API itself says that there is none with its id."""
    assert looked_up(reply(GONE.encode(), status=404)).gone == {ID}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"\xef\xbb\xbf",
        b"null",
        b"[]",
        b"{}",
        b'{"images": []}',
        f'{{"id": "{ID}"}},{{"id": "{ID}"}}'.encode(),
    ],
    ids=repr,
)
def test_an_answer_without_the_image(body: bytes) -> None:
    """A good answer that is not exactly one image says nothing about it, not even that it is gone."""
    confirmation = looked_up(reply(body))

    assert (confirmation.gone, confirmation.still_there) == (set(), set())
    assert confirmation.failure


@pytest.mark.parametrize(
    "body",
    [
        f"<html><body><p>The requested URL /v2/images/{ID} was not found on this server.</p></body></html>",
        f"<pre>Cannot GET /v2/images/{ID}</pre>",
        f"<p>The requested resource [&#47;v2&#47;images&#47;{ID}] is not available</p>",
        f'{{"timestamp": "2024-05-01", "status": 404, "error": "Not Found", "path": "/v2/images/{ID}"}}',
        f'{{"error": "Not Found", "path": "\\/v2\\/images\\/{ID}"}}',
        f'{{"error": "no route", "id": "{ID}"}}',
        f"no route to image%20{ID}",
        f"No image found with ID {ID}0",
        "<h1>404 Not Found</h1>",
        "",
    ],
)
def test_something_in_between_quotes_the_address(body: str) -> None:
    """A 404 that only quotes the address, as proxies and gateways do, does not say that the image is gone."""
    confirmation = looked_up(reply(body.encode(), status=404))

    assert (confirmation.gone, confirmation.still_there) == (set(), set())
    assert "check the endpoint" in confirmation.failure


@pytest.mark.parametrize("registered_at_first", [True, False])
@pytest.mark.parametrize("moves_before", [1, 2, 3])
def test_an_image_that_is_registered_between_two_lookups(moves_before: int, *, registered_at_first: bool) -> None:
    """An image that moves once from one list to the other, at any moment, is found in one of them."""
    requests = itertools.count(1)

    def script(connection: socket.socket, asked: Asked) -> bool:
        registered = registered_at_first == (next(requests) < moves_before)
        shown = registered == ("__isregistered=false" not in asked.target)
        connection.sendall(reply({"images": [{"id": ID}] if shown else []}))
        return True

    with HttpServer(script) as server:
        assert Reader(server.url, api=IMS).ask([ID]).still_there == {ID}
