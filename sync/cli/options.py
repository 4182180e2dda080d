"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeVar

import click

from sync.settings.rules import Rule

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``index``, from 0, of ``count``."""

    index: int
    count: int

    def holds(self, name: str) -> bool:
        """Whether a source of this name is in it: by its name alone, so that other sources may come and go."""
        digest = blake2b(name.encode(), digest_size=8).digest()
        return int.from_bytes(digest) % self.count == self.index


def _shard(text: str) -> Shard:
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    shard = Shard(int(match[1]), int(match[2])) if match else None
    if shard is None or shard.index >= shard.count:
        raise click.BadParameter("give I/N, the part I of N parts, from 0/N to N-1/N")
    return shard


def duration_option(name: str, rule: Rule[float], meaning: str, default: str | None = None) -> Callable[[F], F]:
    """An option for a duration, written as in the settings and read as seconds."""
    return click.option(name, type=rule.read, metavar="TIME", default=default, help=meaning)


source_option = click.option("--source", metavar="NAME", help="Only this source.")
sources_option = click.option(
    "--source", "names", metavar="NAME", multiple=True, help="Only this source; may be given several times."
)
shard_option = click.option(
    "--shard", type=_shard, metavar="I/N", help="Only part I, from 0, of N parts; a source is always in the same part."
)
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Sync up to N sources at the same time; default: the setting jobs.",
)
