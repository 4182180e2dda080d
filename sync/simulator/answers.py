"""Requests and answers as values, and the shapes in which this cloud says no."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in.

    Attributes:
        id: what the answer carries as ``X-Request-Id``.
        method: GET, POST...
        path: without the query, as it was written.
        query: the part after ``?``, as it was written.
        headers: values by name in lower case.
        body: the payload.
        client: address of who asks.
    """

    id: str
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    client: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer travels; the default is at once and whole.

    Attributes:
        delay: seconds of silence first.
        drip: bytes a second, or None for all at once.
        head_bytes: the connection ends after so many bytes of status line and headers.
        body_bytes: the connection ends after so many bytes of the body.
        reset: it ends with a TCP reset instead of an orderly close.
        unsized: no Content-Length; the end of the connection is the end of the body.
        silent: no answer, but the connection stays open.
        endless: blanks follow the body for ever.
    """

    delay: float = 0.0
    drip: float | None = None
    head_bytes: int | None = None
    body_bytes: int | None = None
    reset: bool = False
    unsized: bool = False
    silent: bool = False
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    delivery: Delivery = Delivery()


def json_answer(status: int, document: object, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer with this JSON."""
    return Answer(status, json.dumps(document).encode(), headers=headers)


def iec_error(status: int, code: str, message: str) -> Answer:
    """An error of the service itself, such as ``IEC.000006``."""
    return json_answer(status, {"error_msg": message, "error_code": code})


def gateway_error(status: int, code: str, message: str, request: Request) -> Answer:
    """An error of the gateway in front of it, such as ``APIGW.0301``."""
    return json_answer(status, {"error_msg": message, "error_code": code, "request_id": request.id})


def iam_error(status: int, title: str, message: str) -> Answer:
    """An error of the identity service."""
    return json_answer(status, {"error": {"code": status, "message": message, "title": title}})


def html_error(status: int, title: str) -> Answer:
    """A page from something in between."""
    page = f"<html>\n<head><title>{status} {title}</title></head>\n<body><h1>{status} {title}</h1></body>\n</html>\n"
    return Answer(status, page.encode(), content_type="text/html")
