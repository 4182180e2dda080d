"""Ways in which an answer can break on its way: silence, slowness, cuts, resets, encodings; each function makes one."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import lru_cache
from typing import Any

from delivery import Delivery
from effects import Effect

from sync.simulator.answers import Answer, Request

_MEGABYTE = 1 << 20
_GZIP = 31  # window bits for the gzip format


def delay(seconds: float) -> Effect:
    """The answer comes after this many seconds of silence."""
    return Effect("delay", answer=lambda answer, _: replace(answer, delay=answer.delay + seconds))


def drip(rate: float) -> Effect:
    """The answer comes at this many bytes per second."""
    if rate <= 0:
        raise ValueError("A drip needs a rate above 0 bytes a second.")
    return _travels("drip", drip=rate)


def black_hole() -> Effect:
    """The connection stays open and no answer comes."""
    return _travels("black_hole", silent=True)


def drop(part: str = "head", after: int = 0, *, reset: bool = True) -> Effect:
    """The connection breaks; with no arguments before the first byte of the answer.

    Args:
        part: head (status line and headers) or body.
        after: how many bytes of that part still come.
        reset: by a TCP reset; False for an orderly close.
    """
    if part not in {"head", "body"}:
        raise ValueError("An answer can be dropped in its head or its body.")
    head, body = (after, None) if part == "head" else (None, after)
    return _travels("drop", head_bytes=head, body_bytes=body, reset=reset)


def truncate(after: int) -> Effect:
    """A body without a length ends early, with an orderly close: only its content shows that some is missing."""
    return _travels("truncate", body_bytes=after, unsized=True)


def endless() -> Effect:
    """A body without a length never ends."""
    return _travels("endless", endless=True, unsized=True)


def gzip(padding: int = 0, layers: int = 1) -> Effect:
    """The body is compressed with gzip, whether requested or not.

    Args:
        padding: blanks added to the JSON before compression, in MB; 300 make a bomb.
        layers: how many times it is compressed, as ``Content-Encoding`` says.
    """
    encoding = ("Content-Encoding", ", ".join(["gzip"] * layers))

    def answer(answer: Answer, _: Request) -> Answer:
        body = _packed(answer.body, padding)
        for _layer in range(layers - 1):
            body = _packed(body, 0)
        return replace(answer, body=body, headers=(*answer.headers, encoding))

    return Effect("gzip", answer=answer)


def _travels(name: str, **changes: Any) -> Effect:
    def answer(answer: Answer, _: Request) -> Answer:
        delivery = answer.send if isinstance(answer.send, Delivery) else Delivery()
        return replace(answer, send=replace(delivery, **changes))

    return Effect(name, answer=answer)


@lru_cache(maxsize=2)
def _packed(body: bytes, padding: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    blanks = b" " * _MEGABYTE
    pieces = [packer.compress(body), *(packer.compress(blanks) for _ in range(padding)), packer.flush()]
    return b"".join(pieces)
