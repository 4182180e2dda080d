"""A receiver of notices: takes what is posted to it, and checks signatures by the specification, apart from our code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import jsonschema
from checkout import CHECKOUT
from http_server import Asked, HttpServer, Script, reply

SECRET = "whsec_" + base64.b64encode(b"canary-of-the-signing-key-0123").decode()
PATH = "/services/T000/B000/canary-of-the-address"
SCHEMA = json.loads((CHECKOUT / "docs" / "notice.schema.json").read_text(encoding="utf-8"))
_TOLERANCE = 300  # seconds


class Receiver(HttpServer):
    """Takes all notices, after it has given these answers to the first of them."""

    def __init__(self, *first: bytes | Script) -> None:
        super().__init__(self._answer)
        self._first: Iterator[bytes | Script] = iter(first)

    @property
    def address(self) -> str:
        """What goes into ``notice_url``."""
        return self.url + PATH

    @property
    def notices(self) -> list[dict[str, Any]]:
        """What was posted, each of it by the schema."""
        return [document_of(asked) for asked in self.asked]

    @property
    def kinds(self) -> list[str]:
        """Which kinds came, doubles left out."""
        return list({told["id"]: told["kind"] for told in self.notices}.values())

    def _answer(self, connection: Any, asked: Asked) -> object:
        answer = next(self._first, reply(b"ok"))
        if isinstance(answer, bytes):
            connection.sendall(answer)
            return True
        return answer(connection, asked)


def document_of(asked: Asked) -> dict[str, Any]:
    """The notice of a request, checked against the schema."""
    told: dict[str, Any] = json.loads(asked.body)
    jsonschema.validate(told, SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    return told


def assert_signed(asked: Iterable[Asked], secret: str = SECRET) -> None:
    """Assert that each of them is signed, over its id, its time and its very bytes, and is new."""
    key = base64.b64decode(secret.partition("_")[2])
    for each in asked:
        head = each.headers
        signed = b".".join([head["webhook-id"].encode(), head["webhook-timestamp"].encode(), each.body])
        (version, given) = head["webhook-signature"].split(",")
        assert version == "v1"
        assert hmac.compare_digest(base64.b64decode(given), hmac.digest(key, signed, hashlib.sha256))
        assert abs(time.time() - int(head["webhook-timestamp"])) < _TOLERANCE
        assert head["webhook-id"] == json.loads(each.body)["id"]


@contextmanager
def elsewhere() -> Iterator[Receiver]:
    """A second receiver, to which a redirect leads."""
    with Receiver() as other:
        yield other
        assert other.asked == [], "a redirect was followed"
