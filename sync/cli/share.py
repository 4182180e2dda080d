"""Which of many sources this process syncs, and how many of them at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

import click


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``index``, from 0, of ``count``."""

    index: int
    count: int

    def holds(self, name: str) -> bool:
        """Whether a source of this name is in it: by its name alone, so that other sources may come and go."""
        digest = blake2b(name.encode(), digest_size=8).digest()
        return int.from_bytes(digest) % self.count == self.index


def _shard(context: click.Context, parameter: click.Parameter, text: str | None) -> Shard | None:  # noqa: ARG001
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    shard = Shard(int(found[1]), int(found[2])) if found else None
    if shard is None or shard.index >= shard.count:
        raise click.BadParameter("give I/N, the part I of N parts, from 0/N to N-1/N")
    return shard


shard_option = click.option(
    "--shard", callback=_shard, metavar="I/N", help="Only part I of N of the sources, from 0; the same in every run."
)
jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 64), help="Sources that are synced at the same time; else the setting `jobs`."
)
