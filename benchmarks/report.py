"""Writes what was measured into ``docs/performance.md``, between its markers, and draws ``docs/performance.svg``.

``python -m benchmarks.report build/benchmarks.json [more.json ...] [--growth build/growth.json]``
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.bench import ROOT
from benchmarks.peers import peers
from benchmarks.plot import Bar, Group, draw
from benchmarks.tables import Results

BEGIN, END = "<!-- measured:begin -->", "<!-- measured:end -->"
INTRO = f"""\
# Performance

How long a run takes and what it costs, beside other ways to do the same work. `make bench` measures it (see
[benchmarks/](../benchmarks/)) and writes the part between the markers anew.

{BEGIN}
{END}
"""


def main() -> None:
    """Write the page and the plot."""
    options = _options()
    found = [json.loads(path.read_text(encoding="utf-8")) for path in options.results]
    growth = json.loads(options.growth.read_text(encoding="utf-8")) if options.growth else None
    results = Results([run for one in found for run in one["runs"]])
    skipped = {name: tuple(why) for one in found for name, why in one["skipped"].items()}
    options.docs.mkdir(parents=True, exist_ok=True)
    page, plot = options.docs / "performance.md", options.docs / "performance.svg"
    plot.write_text(picture(results), encoding="utf-8")
    text = page.read_text(encoding="utf-8") if page.exists() else INTRO
    told = "\n\n".join([*sections(found[0]["about"], results, skipped), *grown(growth)])
    page.write_text(between_markers(text, told), encoding="utf-8")


def sections(about: dict[str, str], results: Results, skipped: dict[str, tuple[int, str]]) -> Iterator[str]:
    """The measured part, paragraph by paragraph."""
    labels = _labels(results)
    rounds = len(results.values("round"))
    yield _machine(about)
    yield (
        f"Whole processes, medians of up to {rounds} rounds; in each of them all take their turns, everyone with a "
        "database that was empty before its first load. In brackets: how many times as long as the floor in the same "
        "round, the median over the rounds."
    )
    yield "![Seconds of each, by scenario](performance.svg)"
    for latency in sorted(results.values("latency")):
        yield f"## Time, {_delay(latency)}"
        yield tables.seconds(results.where(latency=latency), labels)
    largest = _largest(results)
    yield f"## Cost, {largest.values('size')[0]:,} images, {_delay(largest.values('latency')[0])}"
    yield tables.costs(largest, labels)
    yield "Rows that `image-sync run` wrote then, by table:"
    yield tables.written(largest.where(peer="ours"))
    for name, (size, why) in skipped.items():
        yield f"Left out for {size:,} images and more: {name} ({why})."


def grown(growth: dict[str, Any] | None) -> Iterator[str]:
    """The part on growth, if that was measured."""
    if growth:
        yield f"## As the history grows: {growth['images']:,} images, 1 % changed each time"
        yield f"{_machine(growth['about'])} Questions are answered by {growth['every'][-1]['how']}."
        yield tables.grown(growth)


def picture(results: Results) -> str:
    """The times at the largest size, the slowest last."""
    largest, labels = _largest(results), _labels(results)
    groups = []
    for scenario in largest.values("scenario"):
        own = largest.where(scenario=scenario)
        bars = [
            Bar(labels[peer], own.where(peer=peer).median("seconds"), peer == "ours") for peer in own.values("peer")
        ]
        groups.append(Group(scenario, sorted(bars, key=lambda bar: bar.seconds)))
    (size,), (latency,) = largest.values("size"), largest.values("latency")
    return draw(f"Seconds for {size:,} images, {_delay(latency)} (log scale)", groups)


def between_markers(text: str, told: str) -> str:
    """The text with what stands between its markers replaced."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"The page has no {BEGIN} and {END}; nothing was written to it.")
    return f"{before}{begin}\n\n{told}\n\n{end}{after}"


def _largest(results: Results) -> Results:
    """The runs without delay, or with the least there is, of the largest size that most peers took part in."""
    quickest = results.where(latency=min(results.values("latency")))
    sizes = [(len(quickest.where(size=size).values("peer")), size) for size in quickest.values("size")]
    return quickest.where(size=max(sizes)[1])


def _labels(results: Results) -> dict[str, str]:
    """Labels of the peers that were measured, by name, in their order."""
    measured = results.values("peer")
    return {name: peer.label for name, peer in peers("").items() if name in measured}


def _machine(about: dict[str, str]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in list(about.items())[5:] if version != "none")
    machine = f"{about['cores']} cores ({about['cpu']}), {about['memory']} of memory, {about['system']}"
    return f"Measured on {about['date']} on {machine}; {versions}."


def _delay(latency: float) -> str:
    return f"{latency:g} ms a page" if latency else "answers without delay"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="files of `python -m benchmarks --json`")
    parser.add_argument("--growth", type=Path, help="a file of `python -m benchmarks.growth --json`")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="the folder to write to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
