"""Requests and answers as values, and the forms in which this cloud refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from http.client import responses
from socket import socket
from threading import Event

IMAGES = "/v1/images"
TOKENS = "/v3/auth/tokens"

Members = dict[str, bytes]
"""The members of a page, each already JSON, such as ``images`` and ``total``."""

Send = Callable[[bytes, bytes, socket, Event], bool]
"""Sends a head and a body on a connection; True if the connection can be used again.

The event is set when the server ends, and every wait must end with it. Raises OSError if the client is gone.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in.

    Attributes:
        id: sent back as ``X-Request-Id``.
        method: GET, POST...
        path: without the query, as it was written.
        query: the part after ``?``, as it was written.
        headers: values by name in lower case.
        body: the payload.
        client: IP address it came from.
    """

    id: str
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    client: str = ""


def send_whole(head: bytes, body: bytes, connection: socket, closing: Event) -> bool:  # noqa: ARG001 - one shape for all
    """Send all of it at once."""
    connection.sendall(b"".join((head, body)))
    return True


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        status: the HTTP status.
        body: the payload.
        content_type: its media type.
        headers: names and values of further headers.
        delay: seconds of silence before it is sent.
        send: how it is sent.
        own: whether the service itself answers, with the id of the request, and not something before it.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    delay: float = 0.0
    send: Send = field(default=send_whole, repr=False)
    own: bool = True


def json_answer(status: int, document: object, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer with this JSON."""
    return Answer(status, json.dumps(document).encode(), headers=headers)


def gateway_error(status: int, code: str, message: str, request: Request) -> Answer:
    """An error of the vendor's gateway in front of its services, such as ``APIGW.0301``."""
    return json_answer(status, {"error_msg": message, "error_code": code, "request_id": request.id})


def iam_error(status: int, title: str, message: str) -> Answer:
    """An error of the identity service."""
    return json_answer(status, {"error": {"code": status, "message": message, "title": title}})


def html_error(status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An error as a web page, as OpenStack's services have it."""
    title = f"{status} {responses.get(status, 'Unknown')}"
    head, body = f"<head><title>{title}</title></head>", f"<body><h1>{title}</h1>\n{escape(message)}<br />\n</body>"
    page = f"<html>\n{head}\n{body}\n</html>\n"
    return Answer(status, page.encode(), "text/html; charset=UTF-8", headers)


def host_url(request: Request) -> str:
    """The address under which the client knows this server."""
    return f"http://{request.headers.get('host', 'localhost')}"
