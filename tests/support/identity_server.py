"""A scripted identity service under a path, and an image service beside it; for what the real Keystone can't be made to do."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import Any, Self

from http_server import Asked, HttpServer, reply

ROLES = ("member", "reader")


@dataclass
class Identity:
    """An identity service under a path, and an image service beside it; both on one address.

    Attributes:
        scope: what the tokens are for: a project and its roles, or None for a domain.
        image: address of the image service in the catalog; "" for none.
        refused: tokens and secrets that are refused.
        forbidden: whether no image may be listed.
        needs_scope: whether a login without a scope is not understood.
        asked: all requests so far.
        url: its address.
        tokens: how many were issued or looked up.
    """

    scope: tuple[str, tuple[str, ...]] | None = ("p1", ROLES)
    image: str = "/image/v2"
    refused: set[str] = field(default_factory=set)
    forbidden: bool = False
    needs_scope: bool = False
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    tokens: int = 0

    def __enter__(self) -> Self:
        self._server = HttpServer(self.answer)
        self.url = f"{self._server.__enter__().url}/identity"
        return self

    def __exit__(self, *unused: object) -> None:
        self._server.__exit__(*unused)

    def answer(self, connection: socket.socket, asked: Asked) -> bool:
        """Answer one request."""
        self.asked.append(asked)
        token = asked.headers.get("x-auth-token", "")
        if any(each in asked.body.decode() or each == token for each in self.refused):
            connection.sendall(reply({"error": {"code": 401, "message": "no"}}, status=401))
        elif self.needs_scope and asked.body and "scope" not in json.loads(asked.body)["auth"]:
            connection.sendall(reply({"error": {"code": 400, "message": "no scope"}}, status=400))
        elif asked.target.startswith("/identity/v3/auth/tokens"):
            connection.sendall(self._token(asked))
        elif self.forbidden:
            connection.sendall(reply({"error_code": "X.403", "error_msg": "no"}, status=403))
        else:
            connection.sendall(reply({"images": [], "total": 0}))
        return True

    def _token(self, asked: Asked) -> bytes:
        self.tokens += 1
        data: dict[str, Any] = {"expires_at": "2099-01-01T00:00:00Z", "issued_at": "2098-12-31T00:00:00Z"}
        if self.scope:
            data |= {"project": {"id": self.scope[0]}, "roles": [{"name": name} for name in self.scope[1]]}
        if "nocatalog" not in asked.target:
            url = self.image if "://" in self.image else self.url.removesuffix("/identity") + self.image
            endpoint = {"interface": "public", "region": "north", "region_id": "north", "url": url}
            services = [{"type": "image", "name": "glance", "endpoints": [endpoint]}] if self.image else []
            data["catalog"] = [{"type": "identity", "name": "keystone", "endpoints": []}, *services]
        created = asked.line.startswith("POST")
        headers = {"X-Subject-Token": f"canary-token-{self.tokens}"} if created else {}
        return reply({"token": data}, status=201 if created else 200, headers=headers)

    @property
    def logins(self) -> list[Asked]:
        """The requests to the identity service so far."""
        return [asked for asked in self.asked if asked.target.startswith("/identity")]
