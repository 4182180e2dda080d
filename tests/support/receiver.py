"""A receiver of notices that checks signatures by the specification, independently of our code."""

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
    """Gives these answers to the first notices, and accepts all others."""

    def __init__(self, *first: bytes | Script) -> None:
        super().__init__(self._answer)
        self._first: Iterator[bytes | Script] = iter(first)

    @property
    def address(self) -> str:
        """The value for ``notice_url``."""
        return self.url + PATH

    @property
    def notices(self) -> list[dict[str, Any]]:
        """The received notices, each checked against the schema."""
        return [document_of(request) for request in self.asked]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the received notices, without duplicates."""
        return list({notice["id"]: notice["kind"] for notice in self.notices}.values())

    def _answer(self, connection: Any, request: Asked) -> object:
        answer = next(self._first, reply(b"ok"))
        if isinstance(answer, bytes):
            connection.sendall(answer)
            return True
        return answer(connection, request)


def document_of(asked: Asked) -> dict[str, Any]:
    """The notice of a request, checked against the schema."""
    notice: dict[str, Any] = json.loads(asked.body)
    jsonschema.validate(notice, SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    return notice


def assert_signed(asked: Iterable[Asked], secret: str = SECRET) -> None:
    """Assert that each request is recent and signed over its id, time and exact body."""
    key = base64.b64decode(secret.partition("_")[2])
    for request in asked:
        head = request.headers
        signed = b".".join([head["webhook-id"].encode(), head["webhook-timestamp"].encode(), request.body])
        (version, signature) = head["webhook-signature"].split(",")
        assert version == "v1"
        assert hmac.compare_digest(base64.b64decode(signature), hmac.digest(key, signed, hashlib.sha256))
        assert abs(time.time() - int(head["webhook-timestamp"])) < _TOLERANCE
        assert head["webhook-id"] == json.loads(request.body)["id"]


@contextmanager
def elsewhere() -> Iterator[Receiver]:
    """A second receiver, which a redirect must not reach."""
    with Receiver() as other:
        yield other
        assert other.asked == [], "a redirect was followed"
