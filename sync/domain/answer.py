"""One answer to ``GET /v1/images``, cut into images; each stays the bytes that the cloud sent.

Only the id and the time of creation are read here: most images are unchanged, and are recognized by their bytes.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from typing import Any, Self

import msgspec

from sync.domain.proof.page import Page, Row
from sync.domain.strict_json import strict_json
from sync.errors import BrokenAnswerError, ContractError, ImageSyncError

_LARGE = 1 << 20  # bytes; a page of 500 images takes a third of it
_MOST_VALUES = 1_000_000  # each may take about 65 bytes of memory once it is decoded
_MOST = 2**63  # beyond the column's bigint; no list is that long
_HEAD, _TAIL = b'{"images":[', re.compile(rb'\],"total":[0-9]{1,18}\}\s*')
_USUAL = len("2024-05-01T00:00:00Z")
_IN_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", re.ASCII)
_ESCAPED_KEY = re.compile(rb'\\u[0-9a-fA-F]{4}[^"\\]*"\s*:')  # may equal a key that is written plainly


@dataclass(frozen=True, slots=True)
class Answer(Page):
    """One answer: what the proof needs of it, and the images.

    Attributes:
        images: the images, each as its JSON text.
    """

    images: list[msgspec.Raw]

    def only(self, ids: Collection[str]) -> Self:
        """The answer with only the images that have these ids."""
        both = [(raw, row) for raw, row in zip(self.images, self.rows, strict=True) if row.id in ids]
        return replace(self, images=[raw for raw, _ in both], rows=[row for _, row in both])


class _Body(msgspec.Struct):
    images: list[msgspec.Raw]
    total: Any = None


class _Edge(msgspec.Struct, gc=False):
    id: Any = None
    created_at: Any = None


class _Named(msgspec.Struct, gc=False):
    id: str
    created_at: Any = None


class _Rows(msgspec.Struct):
    images: list[_Named]


def read_answer(
    body: bytes, offset: int = 0, *, descending: bool = False, marker: str | None = None, part: str = ""
) -> Answer:
    """Read the body of an answer; the other arguments are those of the request (see ``PageRequest``).

    Raises:
        BrokenAnswerError: it is not JSON, or was cut short.
        ContractError: it is JSON, but holds no list of images, or far too many values, or an object with the same key
            twice.
    """
    body = body.removeprefix(codecs.BOM_UTF8)  # some gateways send one, and RFC 8259 lets readers ignore it
    if len(body) > _LARGE and body.count(b",") > _MOST_VALUES:
        raise ContractError(f"the answer holds more than {_MOST_VALUES} values, far more than a page of images has")
    try:
        whole = _body(body)
        rows = _rows_of(body, whole)
    except msgspec.ValidationError as error:
        raise ContractError(f"the answer holds no list of images: {error}; is the endpoint correct?") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        whole, rows = _read_slowly(body, error)
    if _may_repeat_a_key(body, whole.images):
        strict_json(body)
    total = whole.total if type(whole.total) is int and 0 <= whole.total < _MOST else None
    return Answer(offset, rows, total, whole.images, descending=descending, marker=marker, part=part)


def read_one(body: bytes) -> Answer:
    """Read the body of an answer that is one image.

    Raises:
        BrokenAnswerError: it is not JSON, was cut short, or is empty.
        ContractError: it is not exactly one image; see also ``read_answer``.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.strip():
        raise BrokenAnswerError("the answer about one image is empty")
    answer = read_answer(b'{"images":[' + body + b"]}")
    if answer.count != 1:
        raise ContractError("the answer about one image is not one image")
    return answer


def _may_repeat_a_key(body: bytes, images: list[msgspec.Raw]) -> bool:
    """Whether the answer itself may have a key twice; the keys of each image are checked when it is read.

    If the images fill all the room between the usual beginning and the usual end, there is no other key.
    """
    end = len(_HEAD) + sum(map(len, images)) + max(len(images) - 1, 0)
    if body.startswith(_HEAD) and _TAIL.fullmatch(body, end):
        return False
    return body.count(b'"images"') > 1 or body.count(b'"total"') > 1 or bool(_ESCAPED_KEY.search(body))


def _rows_of(body: bytes, whole: _Body) -> list[Row]:
    try:
        return [Row(each.id, creation(each.created_at)) for each in _rows(body).images]
    except msgspec.ValidationError:  # something in the list is not an image: only that goes into quarantine
        edges = [_edge(raw) if bytes(raw[:1]) == b"{" else _Edge() for raw in map(bytes, whole.images)]
    return [_row(edge.id, edge.created_at) for edge in edges]


def _row(name: object, created_at: object) -> Row:
    return Row(name if isinstance(name, str) else "", creation(created_at))


def creation(value: object) -> datetime | None:
    """When an image was created, to the second, if that is written in the usual way; else None.

    In this way, the order of texts is the order of times. Of any other it is not known how the cloud sorts it.
    """
    if not isinstance(value, str):
        return None
    if len(value) != _USUAL or value[4] + value[7] + value[10] + value[19] != "--TZ":
        if not _IN_UTC.fullmatch(value):
            return None
        value = value[: _USUAL - 1] + "Z"
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _read_slowly(body: bytes, error: Exception) -> tuple[_Body, list[Row]]:
    """Read an answer that the fast decoder cannot cut into images, because it contains half a surrogate pair.

    Each image is encoded again, with the half pair and the digits of numbers as they were, so that only the image with
    the half pair goes into quarantine.
    """
    if not re.search(rb"\\u[dD][89a-fA-F]", body):
        raise _broken(body, error) from error
    mark = token_hex(16)  # distinguishes numbers from text while both are text
    number = re.compile(rf'"{mark}([^"]*)"')
    try:
        whole = strict_json(body, lambda digits: mark + digits)
        raws = [number.sub(r"\1", json.dumps(image)).encode() for image in whole["images"]]
        rows = [_row(_text(image.get("id"), mark), image.get("created_at")) for image in whole["images"]]
        total = json.loads(number.sub(r"\1", json.dumps(whole.get("total"))))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise _broken(body, error) from error
    return _Body([msgspec.Raw(raw) for raw in raws], total), rows


def _text(value: object, mark: str) -> object:
    return None if isinstance(value, str) and value.startswith(mark) else value


def _broken(body: bytes, error: Exception) -> ImageSyncError:
    start = body[:200].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return BrokenAnswerError("the answer is a web page, not JSON; is there a proxy or a portal in between?")
    return BrokenAnswerError(f"the answer is not complete JSON: {error}")


_body = msgspec.json.Decoder(_Body).decode
_rows = msgspec.json.Decoder(_Rows).decode
_edge = msgspec.json.Decoder(_Edge).decode
