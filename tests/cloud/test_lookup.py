"""Looking up one image: only the image service itself can say that it is gone."""

from __future__ import annotations

import itertools
import socket

import pytest
from cloud_tools import Reader
from http_server import Asked, HttpServer, always, reply

from sync.domain.apis import GLANCE, IMS
from sync.domain.run import Confirmation

NAME = "3f1c0f5e-3f0e-4d4b-9a53-0d4e8f2f7a10"
OTHER = NAME.replace("3", "4")
TWICE = f'{{"id": "{NAME}"}},{{"id": "{NAME}"}}'.encode()
OWN = (("x-openstack-request-id", "req-1"),)


def asked(body: object, status: int = 200, *headers: tuple[str, str]) -> Confirmation:
    """Look up an image of Glance that gets this answer."""
    with HttpServer(always(reply(body, status=status, headers=dict(headers)))) as server:
        return Reader(server.url, api=GLANCE, max_retries=0).ask([NAME])


def page(sentence: str) -> bytes:
    """An error as Glance sends it, and many other servers."""
    return f"<html><head><title>404</title></head><body><h1>404 Not Found</h1>{sentence}<br /></body></html>".encode()


def test_glance_says_that_an_image_is_gone() -> None:
    """A 404 of Glance that names the image confirms that it is not there."""
    assert asked(page(f"No image found with ID {NAME}"), 404, *OWN).gone == {NAME}


@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        (page(f"The requested URL /v2/images/{NAME} was not found on this server."), 404, ()),
        (page(f"The requested URL /v2/images/{NAME} was not found."), 404, (("x-request-id", "1"),)),
        (page("The resource could not be found."), 404, OWN),
        ({"error_msg": f"/v2/images/{NAME}: no such API", "error_code": "APIGW.0101"}, 404, ()),
        (page(f"No image found with ID {OTHER}"), 404, OWN),
        (b"", 404, OWN),
        (page(f"You are not allowed to see {NAME}"), 403, OWN),
        (page(f"{NAME} is gone"), 410, OWN),
        (page("Service Unavailable"), 503, OWN),
        (b"", 200, OWN),
        ({"id": OTHER}, 200, OWN),
        ({"images": [{"id": NAME}]}, 200, OWN),
        ({"images": []}, 200, OWN),
        ({}, 200, OWN),
    ],
)
def test_nothing_else_says_so(body: object, status: int, headers: tuple[tuple[str, str], ...]) -> None:
    """A 404 of something in between, of another path or about another image, and any odd answer confirm nothing."""
    confirmation = asked(body, status, *headers)

    assert (confirmation.gone, confirmation.still_there) == (frozenset(), frozenset())
    assert confirmation.failure


def test_glance_shows_an_image() -> None:
    """An answer that is the image says that it is still there."""
    assert asked({"id": NAME, "status": "active"}, 200, *OWN).still_there == {NAME}


def test_an_id_is_quoted_in_an_address() -> None:
    """An id with characters that mean something in an address asks for that image only."""
    odd = "a/../b?c#d%65 é"
    with HttpServer(always(reply({"id": odd}, headers=dict(OWN)))) as server:
        confirmation = Reader(server.url, api=GLANCE).ask([odd])

    assert confirmation.still_there == {odd}
    assert [each.target for each in server.asked] == ["/v2/images/a%2F..%2Fb%3Fc%23d%2565%20%C3%A9"]


def test_ims_is_asked_for_registered_and_unregistered_images() -> None:
    """An image of IMS is gone only if it is neither among the registered images nor among the others."""
    with HttpServer(always(reply({"images": []}))) as server:
        confirmation = Reader(server.url, api=IMS, filter="__os_type=Linux").ask([NAME])

    assert confirmation.gone == {NAME}
    assert [each.target for each in server.asked] == [
        f"/v2/cloudimages?id={NAME}",
        f"/v2/cloudimages?id={NAME}&__isregistered=false",
        f"/v2/cloudimages?id={NAME}",
    ]


@pytest.mark.parametrize("body", [b"", b" \n", b"\xef\xbb\xbf", b"null", b"[]", TWICE], ids=repr)
def test_an_answer_without_the_image(body: bytes) -> None:
    """A good answer that is not exactly one image says nothing about it, not even that it is gone."""
    confirmation = asked(body, 200, *OWN)

    assert (confirmation.gone, confirmation.still_there) == (frozenset(), frozenset())
    assert confirmation.failure


@pytest.mark.parametrize(
    "body",
    [
        f"<html><body><p>The requested URL /v2/images/{NAME} was not found on this server.</p></body></html>",
        f"<pre>Cannot GET /v2/images/{NAME}</pre>",
        f"<p>The requested resource [&#47;v2&#47;images&#47;{NAME}] is not available</p>",
        f'{{"timestamp": "2024-05-01", "status": 404, "error": "Not Found", "path": "/v2/images/{NAME}"}}',
        f'{{"error": "Not Found", "path": "\\/v2\\/images\\/{NAME}"}}',
        f'{{"error": "no route", "id": "{NAME}"}}',
        f"no route to image%20{NAME}",
        f"No image found with ID {NAME}0",
        "<h1>404 Not Found</h1>",
        "",
    ],
)
def test_something_in_between_quotes_the_address(body: str) -> None:
    """A 404 that only quotes the address, as proxies and gateways do, does not say that the image is gone."""
    confirmation = asked(body.encode(), 404, *OWN)

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
        connection.sendall(reply({"images": [{"id": NAME}] if shown else []}))
        return True

    with HttpServer(script) as server:
        assert Reader(server.url, api=IMS).ask([NAME]).still_there == {NAME}
