"""Ways in which an answer's content can be wrong: images, totals, bodies, statuses. Each function makes an effect.

Faults on the way of an answer are in ``breakage``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from sync.simulator.answers import Answer, Members, Request, gateway_error, html_error, iam_error, json_answer
from sync.simulator.apis import behaviour_at
from sync.simulator.apis.iec import IecBehaviour
from sync.simulator.listing import Query


@dataclass(frozen=True, slots=True)
class Effect:
    """A fault of an answer.

    Attributes:
        name: what the journal calls it.
        ask: changes the query.
        shape: changes the members of a page before they become its body.
        answer: changes the answer to this request, or how it travels.
    """

    name: str
    ask: Callable[[Query], Query] = lambda query: query
    shape: Callable[[Members], Members] = lambda members: members
    answer: Callable[[Answer, Request], Answer] = lambda answer, _: answer


_USUAL = {
    302: ("html", "", "Found"),
    400: ("iec", "IEC.000000", "Internal error, try again later."),
    401: ("gateway", "APIGW.0301", "Incorrect IAM authentication information: decrypt token fail"),
    403: ("gateway", "APIGW.0302", "The IAM user is not authorized to access the API"),
    404: ("gateway", "APIGW.0101", "The API does not exist or has not been published in the environment"),
    429: ("gateway", "APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit"),
    500: ("iec", "IEC.000000", "Internal error, try again later."),
    504: ("gateway", "APIGW.0201", "Backend timeout"),
}
_GARBAGE = {
    "html": b"<html><body><h1>Please log in to this network</h1></body></html>",
    "nan": b'{"images":[{"id":"a","name":"a","min_disk":NaN,"min_ram":-Infinity}],"total":1}',
    "duplicate_keys": b'{"images":[{"id":"a","id":"b","name":"a"}],"total":1,"images":[],"total":0}',
    "deep": b'{"images":' + b"[" * 200_000 + b"]" * 200_000 + b',"total":0}',
    "empty": b"",
    "error": b'{"error_msg":"Internal error","error_code":"IEC.000000"}',
    "list": b"[]",
    "text": b'"images"',
}


def status(
    status: int,
    *,
    code: str = "",
    message: str = "",
    style: str = "",
    retry_after: str | None = None,
    location: str | None = None,
) -> Effect:
    """Another status, in the form this cloud uses for it.

    Args:
        status: the HTTP status.
        code: the vendor's error code; "" for the usual one.
        message: the vendor's text; "" for the usual one.
        style: iec, gateway, iam or html; "" for the usual one.
        retry_after: the exact ``Retry-After`` header; None for none.
        location: the ``Location`` header; None for none.
    """
    usual = _USUAL.get(status, ("gateway", "APIGW.0201", "Backend unavailable"))
    styles: dict[str, Callable[[Request, str, str], Answer]] = {
        "iec": lambda _, code, message: json_answer(status, {"error_msg": message, "error_code": code}),
        "gateway": lambda request, code, message: gateway_error(status, code, message, request),
        "iam": lambda _, code, message: iam_error(status, code, message),
        "html": lambda _, __, message: html_error(status, message),
    }
    _known(style or usual[0], styles)

    def say(request: Request) -> Answer:
        behaviour = behaviour_at(request.path) or IecBehaviour
        if not style and behaviour is not IecBehaviour:
            return behaviour.error(status, request, message, code)
        return styles[style or usual[0]](request, code or usual[1], message or usual[2])

    extra = {"Retry-After": retry_after, "Location": location}
    headers = tuple((name, value) for name, value in extra.items() if value is not None)

    def answer(answer: Answer, request: Request) -> Answer:
        said = say(request)
        return replace(said, headers=said.headers + headers, delay=answer.delay, send=answer.send)

    return Effect(f"status {status}", answer=answer)


def in_between(status: int, text: str) -> Effect:
    """A web page of something between the client and the service, without the service's own headers."""
    page = replace(html_error(status, text), own=False)
    return Effect(f"in between {status}", answer=lambda answer, _: replace(page, delay=answer.delay, send=answer.send))


def throttled(
    limit: int = 200, window: str = "5 minute", *, who: str = "user", retry_after: str | None = None
) -> Effect:
    """A 429 as the gateway sends it, with the window in its text, such as ``limit:200,time:5 minute``."""
    text = f"The throttling threshold has been reached: policy {who} over ratelimit,limit:{limit},time:{window}"
    return status(429, message=text, retry_after=retry_after)


def body(content: bytes | str, content_type: str = "application/json") -> Effect:
    """Exactly this body, with the answer's status."""
    raw = content.encode() if isinstance(content, str) else content
    return Effect("body", answer=lambda answer, _: replace(answer, body=raw, content_type=content_type))


def garbage(kind: str) -> Effect:
    """A body that is not a page: html, nan, duplicate_keys, deep, empty, error, list or text."""
    raw = _GARBAGE[_known(kind, _GARBAGE)]
    return Effect(f"garbage {kind}", answer=lambda answer, _: replace(answer, body=raw))


def images(kind: str) -> Effect:
    """``images`` is null, missing or an object, or the list is empty with a ``total`` of 0."""
    shapes: dict[str, Callable[[Members], Members]] = {
        "null": lambda members: members | {"images": b"null"},
        "missing": lambda members: _without(members, "images"),
        "object": lambda members: members | {"images": b"{}"},
        "empty": lambda members: members | {"images": b"[]"} | ({"total": b"0"} if "total" in members else {}),
    }
    return Effect(f"images {kind}", shape=shapes[_known(kind, shapes)])


def total(value: object) -> Effect:
    """``total`` is this value, of any type."""
    raw = json.dumps(value).encode()
    return Effect("total", shape=lambda members: members | {"total": raw})


def total_off(by: int) -> Effect:
    """``total`` is too large by this number, or too small if it is negative."""
    return Effect("total_off", shape=lambda members: members | {"total": b"%d" % (int(members["total"]) + by)})


def total_missing() -> Effect:
    """``total`` is missing."""
    return Effect("total_missing", shape=lambda members: _without(members, "total"))


def offset_ignored() -> Effect:
    """The first page is returned for every ``offset``."""
    return Effect("offset_ignored", ask=lambda query: replace(query, offset=0))


def marker_ignored() -> Effect:
    """The first page is returned for every ``marker``, as by services that forget a marker that is gone."""
    return Effect("marker_ignored", ask=lambda query: replace(query, marker=None))


def next_page(link: str) -> Effect:
    """``next`` is this, which may be another host."""
    return Effect("next_page", shape=lambda members: members | {"next": json.dumps(link).encode()})


def hidden(ids: Sequence[str]) -> Effect:
    """These ids are left out, as by a replica that does not know them yet."""
    unseen = frozenset(ids)
    return Effect("hidden", ask=lambda query: replace(query, hidden=query.hidden | unseen))


def reformatted(seed: int = 1) -> Effect:
    """The same images with another order of keys, other blanks and other escapes."""
    rng = Random(seed)

    def shape(members: Members) -> Members:
        rows = [dict(rng.sample(list(image.items()), len(image))) for image in json.loads(members["images"])]
        return members | {"images": json.dumps(rows, indent=rng.choice((None, 1, 2))).encode()}

    return Effect("reformatted", shape=shape)


def _without(members: Members, name: str) -> Members:
    return {other: value for other, value in members.items() if other != name}


def _known(name: str, names: Iterable[str]) -> str:
    if name not in names:
        raise ValueError(f"{name} is not known here: take one of {', '.join(names)}.")
    return name
