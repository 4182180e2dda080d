"""A fast fake of the image API, never what anyone waits for; a process of its own: ``python -m benchmarks.server``.

    GET /v1/images?limit=&offset=&sort_dir=&id=         X-Auth-Token is asked for; other parameters change nothing
    GET /v2/images?limit=&marker=&sort_dir=&os_hidden=  the same images as Glance has them, by id; none is hidden
    GET /v2/images/<id>                                 one of them
    GET /v2/cloudimages?limit=&marker=&...&id=          the same images as IMS has them, by id; all are registered
    GET /control?size=&generation=&latency=             sets what is given (latency in ms a page), and tells the truth

It writes its port to standard output once it listens, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys
from bisect import bisect_right
from importlib.util import find_spec
from typing import cast
from urllib.parse import parse_qsl

from benchmarks.world import Image, World

LIMIT = 500
GLANCE, IMS = "/v2/images", "/v2/cloudimages"
_LONGEST = {GLANCE: 1000, IMS: 500}  # pages
_STATUS = {200: "OK", 401: "Unauthorized", 404: "Not Found"}


class Fake:
    """What is answered, and how late."""

    def __init__(self) -> None:
        self.world, self.latency, self.requests = World(0), 0.0, 0

    def page(self, query: dict[str, str]) -> bytes:
        """A page of the list, or the image with an id."""
        self.requests += 1
        if "id" in query:
            found = self.world.by_id.get(query["id"])
            return _listed([found] if found else [], int(found is not None))
        images, offset, limit = (
            self.world.images,
            int(query.get("offset", 0)),
            min(int(query.get("limit", LIMIT)), LIMIT),
        )
        if query.get("sort_dir") == "asc":
            return _listed(images[offset : offset + limit], len(images))
        end = max(len(images) - offset, 0)
        return _listed(images[max(end - limit, 0) : end][::-1], len(images))

    def by_marker(self, path: str, query: dict[str, str]) -> bytes:
        """A page of the list that is sorted by id; hidden and unregistered images are a list of their own."""
        self.requests += 1
        if query.get("os_hidden") == "true" or query.get("__isregistered") == "false":
            return b'{"images":[]}'
        if "id" in query:
            one = self.world.by_id.get(query["id"])
            return b'{"images":[%b]}' % (self.world.body(one, path) if one else b"")
        ids, limit = self.world.ids, min(int(query["limit"]), _LONGEST[path])
        if query.get("sort_dir") == "desc":
            chosen = ids[-limit:][::-1]
        else:
            start = bisect_right(ids, query.get("marker", ""))
            chosen = ids[start : start + limit]
        bodies = [self.world.body(self.world.by_id[name], path) for name in chosen]
        return b'{"images":[%b]}' % b",".join(bodies)

    def one(self, name: str) -> bytes | None:
        """One image as Glance has it."""
        self.requests += 1
        found = self.world.by_id.get(name)
        return self.world.body(found, GLANCE) if found else None

    def control(self, query: dict[str, str]) -> bytes:
        """Set what is given, and tell everything."""
        size, generation = (int(query.get(name, getattr(self.world, name))) for name in ("size", "generation"))
        self.world = self.world.at(size, generation)
        self.world.render_for(query.get("apis", "").split(","))
        gc.freeze()
        self.latency = float(query.get("latency", self.latency * 1000)) / 1000
        told = {
            "size": size,
            "generation": generation,
            "live": len(self.world.images),
            "updated": self.world.updated(),
            "requests": self.requests,
        }
        return json.dumps(told).encode()


class Conversation(asyncio.Protocol):
    """One connection: requests without a body, one after the other."""

    def __init__(self, fake: Fake) -> None:
        self._fake, self._received = fake, b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, and no subclass

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        *heads, self._received = (self._received + data).split(b"\r\n\r\n")
        for head in heads:
            self._answer(head.decode("latin-1"))

    def _answer(self, head: str) -> None:
        path, _, text = head.split(" ", 2)[1].partition("?")
        query = dict(parse_qsl(text))
        if path == "/control":
            self._send(_response(200, self._fake.control(query)))
        elif path != "/v1/images" and not path.startswith((GLANCE, IMS)):
            self._send(_response(404, b"{}"))
        elif "x-auth-token:" not in head.lower():
            self._send(_response(401, b"{}"))
        elif self._fake.latency:
            # The delay is the cloud's, so the page is that of the moment after it.
            asyncio.get_running_loop().call_later(self._fake.latency, self._send_page, path, query)
        else:
            self._send_page(path, query)

    def _send_page(self, path: str, query: dict[str, str]) -> None:
        if path in _LONGEST:
            self._send(_response(200, self._fake.by_marker(path, query)))
        elif path.startswith(GLANCE):
            body = self._fake.one(name := path.removeprefix(GLANCE + "/"))
            self._send(_response(200, body) if body else _response(404, f"No image found with ID {name}".encode()))
        else:
            self._send(_response(200, self._fake.page(query)))

    def _send(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)


async def serve() -> None:
    """Serve until standard input ends."""
    loop, fake = asyncio.get_running_loop(), Fake()
    server = await loop.create_server(lambda: Conversation(fake), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Serve, through uvloop where there is one."""
    gc.disable()  # images by the million, and no circles among them
    if find_spec("uvloop"):
        importlib.import_module("uvloop").install()
    asyncio.run(serve())


def _listed(images: list[Image], total: int) -> bytes:
    return b'{"images":[%b],"total":%d}' % (b",".join([image.body for image in images]), total)


def _response(status: int, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: application/json\r\n"
        f"X-Openstack-Request-Id: req-1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    main()
