"""The numbers of a page: medians, ratios within a round, and Markdown tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

FLOOR = "lean"
Run = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """Everything that was measured, in the order in which it was."""

    runs: Sequence[Run]

    def values(self, key: str) -> list[Any]:
        """What occurs under a key, each once."""
        return list(dict.fromkeys(run[key] for run in self.runs))

    def where(self, **wanted: Any) -> Results:
        """Those that fit."""
        return Results([run for run in self.runs if all(run[key] == value for key, value in wanted.items())])

    def median(self, key: str) -> float:
        """Over the rounds."""
        return float(median(run[key] for run in self.runs))

    def ratio(self, peer: str) -> float | None:
        """How often the time of the floor a peer takes: the median of the ratios, each within one round."""
        floor = {run["round"]: run["seconds"] for run in self.where(peer=FLOOR).runs}
        own = self.where(peer=peer).runs
        ratios = [run["seconds"] / floor[run["round"]] for run in own if run["round"] in floor]
        return float(median(ratios)) if ratios else None


def seconds(results: Results, labels: dict[str, str]) -> str:
    """How long everything takes: a row for each size and peer."""
    scenarios = results.values("scenario")
    lines = [
        [
            f"{size:,}",
            labels[peer],
            *(_time(results.where(size=size, scenario=scenario), peer) for scenario in scenarios),
        ]
        for size in results.values("size")
        for peer in labels
        if results.where(size=size, peer=peer).runs
    ]
    return table(["images", "", *scenarios], lines, left=2)


def costs(results: Results, labels: dict[str, str]) -> str:
    """What else everything takes: a row for each scenario and peer."""
    head = ["", "", "CPU, s", "PostgreSQL's CPU, s", "peak memory, MB", "WAL, MB", "rows written", "requests"]
    lines = [
        [scenario, labels[peer], *_cost(own)]
        for scenario in results.values("scenario")
        for peer in labels
        if (own := results.where(scenario=scenario, peer=peer)).runs
    ]
    return table(head, lines, left=2)


def written(results: Results) -> str:
    """Which tables one peer writes to: a row for each scenario and table, from the last round."""
    lines = [
        [scenario, f"`{name}`", *(f"{count:,}" for count in counts)]
        for scenario in results.values("scenario")
        for name, counts in results.where(scenario=scenario).runs[-1]["rows"].items()
    ]
    return table(["", "table", "inserted", "updated", "deleted"], lines, left=2)


def grown(growth: dict[str, Any]) -> str:
    """What everything costs as the history grows: a row for each look."""
    head = ["syncs", "on disk, MB", "a sync, s", "no change, s", "its WAL, kB"]
    asked = {
        "as_of_now": "as of now",
        "as_of_middle": "as of the middle",
        "as_of_first": "as of the first run",
        "diff_neighbours": "diff of neighbours",
        "diff_first_last": "diff of first and last",
    }
    lines = [
        [
            f"{look['syncs']:,}",
            f"{look['bytes'] / 1e6:,.0f}",
            f"{look['sync_seconds']:.2f}",
            f"{look['no_change']['seconds']:.2f}",
            f"{look['no_change']['wal'] / 1e3:.1f}",
            *(f"{look[key][0]:.3f} s ({look[key][1]:,} rows)" for key in asked),
        ]
        for look in growth["every"]
    ]
    return table([*head, *asked.values()], lines)


def table(head: Iterable[str], lines: Iterable[Sequence[str]], left: int = 0) -> str:
    """A Markdown table; all but the first columns are numbers."""
    head = list(head)
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def _time(results: Results, peer: str) -> str:
    own, ratio = results.where(peer=peer), results.ratio(peer)
    if not own.runs:
        return "-"
    times = f" ({ratio:.2f} x)" if ratio is not None and peer != FLOOR else ""
    return f"{own.median('seconds'):.2f}{times}"


def _cost(own: Results) -> list[str]:
    rows = median(sum(map(sum, run["rows"].values())) for run in own.runs)
    return [
        f"{own.median('cpu'):.2f}",
        f"{own.median('database_cpu'):.2f}",
        f"{own.median('memory') / 1e6:,.0f}",
        f"{own.median('wal') / 1e6:,.3f}",
        f"{rows:,.0f}",
        f"{own.median('requests'):,.0f}",
    ]
