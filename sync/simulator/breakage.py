"""What can go wrong with an answer on its way: silence, slowness, cuts, resets, encodings; each call gives one."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from sync.errors import UsageError
from sync.simulator.effects import Effect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.simulator.answers import Answer, Delivery, Request

_MEGABYTE = 1 << 20
_GZIP = 31  # window bits that make zlib write the format of gzip


def delay(seconds: float) -> Effect:
    """So many seconds of silence before the answer."""
    return _travels("delay", lambda way: replace(way, delay=way.delay + seconds))


def drip(rate: float) -> Effect:
    """The answer comes at so many bytes a second."""
    if rate <= 0:
        raise UsageError("A drip needs a rate above 0 bytes a second.")
    return _travels("drip", lambda way: replace(way, drip=rate))


def black_hole() -> Effect:
    """The connection stays open and nothing ever comes."""
    return _travels("black_hole", lambda way: replace(way, silent=True))


def drop(part: str = "head", after: int = 0, *, reset: bool = True) -> Effect:
    """The connection breaks; ``drop()`` breaks it before the first byte of the answer.

    Args:
        part: head (status line and headers) or body.
        after: how many bytes of that part still come.
        reset: by a TCP reset; False for an orderly close.
    """
    if part not in {"head", "body"}:
        raise UsageError("An answer can be dropped in its head or its body.")
    head, body = (after, None) if part == "head" else (None, after)
    return _travels("drop", lambda way: replace(way, head_bytes=head, body_bytes=body, reset=reset))


def truncate(after: int) -> Effect:
    """A body without a length ends early, with an orderly close: only its content tells that something is missing."""
    return _travels("truncate", lambda way: replace(way, body_bytes=after, unsized=True))


def endless() -> Effect:
    """A body without a length never ends."""
    return _travels("endless", lambda way: replace(way, endless=True, unsized=True))


def gzip(padding: int = 0, layers: int = 1) -> Effect:
    """The body comes as gzip, asked for or not.

    Args:
        padding: blanks after the JSON before it is packed, in MB: with 300, a bomb.
        layers: how many times it is packed; ``Content-Encoding`` says so.
    """
    encoding = ("Content-Encoding", ", ".join(["gzip"] * layers))

    def answer(answer: Answer, _: Request) -> Answer:
        body = _packed(answer.body, padding)
        for _layer in range(layers - 1):
            body = _packed(body, 0)
        return replace(answer, body=body, headers=(*answer.headers, encoding))

    return Effect("gzip", answer=answer)


def _travels(name: str, change: Callable[[Delivery], Delivery]) -> Effect:
    return Effect(name, answer=lambda answer, _: replace(answer, delivery=change(answer.delivery)))


@lru_cache(maxsize=2)
def _packed(body: bytes, padding: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    blanks = b" " * _MEGABYTE
    pieces = [packer.compress(body), *(packer.compress(blanks) for _ in range(padding)), packer.flush()]
    return b"".join(pieces)
