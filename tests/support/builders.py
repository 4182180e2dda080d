"""Images, answers and sources that are valid by default, so that a test names only what it is about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync.domain.answer import Answer, read_answer
from sync.domain.apis import IEC, Api
from sync.domain.fields import Kind
from sync.domain.image import Image, Reader
from sync.domain.run import Source

DATA = Path(__file__).parent / "data"
SAMPLE: dict[str, Any] = json.loads((DATA / "sample.json").read_text())["images"][0]
"""The one image that the API's document shows."""


def image(id: str = "img-1", **fields: Any) -> dict[str, Any]:
    """An image as the API returns it; a field whose value is ``...`` is left out."""
    whole = SAMPLE | {"id": id, "self": f"/v1/self/{id}"} | fields
    return {name: value for name, value in whole.items() if value is not ...}


def encoded(document: Mapping[str, Any]) -> bytes:
    """Compact JSON, as the API writes it."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def body(*records: Mapping[str, Any] | bytes, total: Any = None) -> bytes:
    """The body of an answer with these records; bytes are used unchanged."""
    texts = [record if isinstance(record, bytes) else encoded(record) for record in records]
    return b'{"images":[%s],"total":%s}' % (
        b",".join(texts),
        json.dumps(len(records) if total is None else total).encode(),
    )


def answer(*records: Mapping[str, Any] | bytes, offset: int = 0, total: Any = None, descending: bool = False) -> Answer:
    """An answer with these records."""
    return read_answer(body(*records, total=total), offset, descending=descending)


def read(document: Mapping[str, Any] | bytes, ignore: tuple[str, ...] = ()) -> Image:
    """Read a valid image into the form in which it is stored."""
    image = Reader(ignore).read(document if isinstance(document, bytes) else encoded(document))
    assert isinstance(image, Image), image
    return image


def source(**changes: Any) -> Source:
    """A source for the rules of the domain."""
    return replace(Source("edge", "http://127.0.0.1:1"), **changes)


def canonical(document: Mapping[str, Any], api: Api = IEC) -> dict[str, Any]:
    """The content of an image under the documented equalities, computed independently of the code under test."""
    kinds = {field.api: field.kind for field in api.fields}
    plain = {name: _plain(kinds.get(name), value) for name, value in document.items()}
    return {name: value for name, value in plain.items() if value is not None}


def _plain(kind: Kind | None, value: Any) -> Any:
    if value == "" and isinstance(value, str):
        return None
    if kind is Kind.TAGS and isinstance(value, list):
        return sorted(set(value))
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    if isinstance(value, str) and kind is Kind.TIME:
        return _instant(value)
    is_number = kind in (Kind.INTEGER, Kind.NUMERAL)
    if isinstance(value, str) and is_number and re.fullmatch("-?[0-9]{1,19}", value):
        return int(value) if str(int(value)) == value and -(2**63) <= int(value) < 2**63 else value
    return value


def _instant(text: str) -> datetime | str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
