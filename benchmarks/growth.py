"""How cost grows with the history: many syncs, and what questions cost then: ``python -m benchmarks.growth``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks.bench import ROOT, opened
from benchmarks.machine import about
from benchmarks.measure import Bench, check
from benchmarks.peers import peers
from benchmarks.questions import Questions


def main() -> None:
    """Measure what the command line asks for."""
    options = _options()
    with opened(limit=600, autovacuum=True) as bench:
        told = {"about": about(bench.database, ""), "images": options.images, "every": []}
        for row in grow(bench, options.images, options.syncs, options.every):
            told["every"].append(row)
            print(json.dumps(row), flush=True)
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def grow(bench: Bench, images: int, syncs: int, every: int) -> Iterator[dict[str, Any]]:
    """Sync again and again, 1 % changed each time; yields what everything costs after each ``every`` of them."""
    ours = peers("")["ours"]
    url = bench.database.make("growth")
    seconds: list[float] = []
    for generation in range(syncs + 1):
        truth = bench.cloud.set(size=images, generation=generation, latency=0)
        seconds.append(bench.run(ours, url).seconds)
        if generation and generation % every == 0:
            check(ours, url, truth)
            idle = asdict(bench.measure(ours, url))
            yield {"syncs": generation, "sync_seconds": median(seconds[-every:]), "no_change": idle, **ask(url)}


def ask(url: str) -> dict[str, Any]:
    """What the questions cost now."""
    with psycopg.connect(url, autocommit=True) as own:
        own.execute("VACUUM (ANALYZE)")
    questions = Questions(url)
    try:
        moments = questions.moments()
        # The very last run is the one that changed nothing.
        *_, before, last, now = moments
        first, middle = moments[0], moments[len(moments) // 2]
        return {
            "how": questions.how,
            "bytes": questions.bytes(),
            "as_of_now": questions.as_of(now),
            "as_of_middle": questions.as_of(middle),
            "as_of_first": questions.as_of(first),
            "diff_neighbours": questions.diff(before, last),
            "diff_first_last": questions.diff(first, last),
        }
    finally:
        questions.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--syncs", type=int, default=200)
    parser.add_argument("--every", type=int, default=50, help="syncs between two looks")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "growth.json", help="where the results go")
    return parser.parse_args()


if __name__ == "__main__":
    main()
