"""The rounds: three scenarios, in which all peers take their turns, at several sizes and latencies."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import database
from benchmarks.cloud import Cloud
from benchmarks.machine import about
from benchmarks.measure import Bench, Cost, RunError, TooSlowError
from benchmarks.peers import Peer, peers
from sync.domain.apis import APIS

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
SCENARIOS = ("first load", "no change", "1 % changed")
WARMUP = 100  # images of an unmeasured load, which compiles what Python has not compiled yet
QUICK = {"sizes": [1_000, 10_000], "rounds": 2, "latency": [0.0], "peers": ["ours", "lean", "script"]}


@dataclass
class Rounds:
    """Measures the peers, each in a fresh database in each round.

    Attributes:
        once: names of peers that take part in the first round only.
        skipped: from which size on a peer is measured no more, and why.
        runs: what was measured.
    """

    bench: Bench
    peers: list[Peer]
    once: frozenset[str] = frozenset()
    skipped: dict[str, tuple[int, str]] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)

    def warm_up(self) -> None:
        """Let each peer run once, unmeasured."""
        self.bench.cloud.set(size=WARMUP, generation=0, latency=0)
        for peer in self.peers:
            try:
                self.bench.run(peer, self._fresh(peer))
            except RunError as error:
                self._skip(peer, WARMUP, error)

    def measure(self, size: int, latency: float, rounds: int) -> Iterator[int]:
        """Measure all scenarios at one size and latency (ms a page); yields after each round."""
        print(f"\n{size:,} images, {latency:g} ms a page", flush=True)
        for number in range(1, rounds + 1):
            self._round(size, latency, number)
            yield number

    def _round(self, size: int, latency: float, number: int) -> None:
        turn = number % len(self.peers)  # so that no one always follows the same one
        entered = [
            (peer, self._fresh(peer))
            for peer in self.peers[turn:] + self.peers[:turn]
            if number == 1 or peer.name not in self.once
        ]
        for scenario in SCENARIOS:
            generation = number if scenario == SCENARIOS[-1] else number - 1
            self.bench.cloud.set(self._apis(), size=size, generation=generation, latency=latency)
            for peer, url in entered:
                at = {"size": size, "latency": latency, "round": number, "scenario": scenario, "peer": peer.name}
                self._run(peer, url, at)

    def _apis(self) -> str:
        names = {peer.settings.get("API", "iec") for peer in self.peers} - {"iec"}
        return ",".join(APIS[name].path for name in names)

    def _run(self, peer: Peer, url: str, at: dict[str, Any]) -> None:
        if at["size"] >= self.skipped.get(peer.name, (sys.maxsize,))[0]:
            return
        try:
            cost = self.bench.measure(peer, url)
        except RunError as error:
            self._skip(peer, at["size"], error)
            return
        self.runs.append(at | cost.as_json())
        print(_line(at, cost), flush=True)

    def _skip(self, peer: Peer, size: int, error: RunError) -> None:
        """Leave a peer out: one that is too slow from this size on, one that does not work altogether."""
        size = size if isinstance(error, TooSlowError) else 0
        self.skipped[peer.name] = size, str(error).partition("\n")[0]
        print(f"{peer.name} is left out for {size:,} images and more: {error}", file=sys.stderr, flush=True)

    def _fresh(self, peer: Peer) -> str:
        shutil.rmtree(self.bench.folder / peer.name, ignore_errors=True)
        return self.bench.database.make(f"bench_{peer.name}")


@contextmanager
def opened(limit: float, *, autovacuum: bool = False) -> Iterator[Bench]:
    """A database server, a cloud and a folder, for as long as the block lasts."""
    with (
        database.server(autovacuum=autovacuum) as server,
        Cloud() as cloud,
        tempfile.TemporaryDirectory() as folder,
    ):
        yield Bench(cloud, server, Path(folder), limit)


def main() -> None:
    """Measure what the command line asks for."""
    options = _options()
    known = peers(options.bench_python)
    with opened(options.budget) as bench:
        once = frozenset({"script"}) if options.quick else frozenset()
        rounds = Rounds(bench, [known[name] for name in options.peers], once)
        told = about(bench.database, options.bench_python)
        rounds.warm_up()
        for latency in options.latency:
            for size in options.sizes:
                for _round in rounds.measure(size, latency, options.rounds):
                    _save(options.json, {"about": told, "skipped": rounds.skipped, "runs": rounds.runs})
    if "ours" in rounds.skipped:
        sys.exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = list(peers(""))
    add = parser.add_argument
    add("--sizes", type=_several(int), default=[1_000, 10_000, 100_000], help="images, with commas between")
    add("--rounds", type=int, default=3)
    add("--latency", type=_several(float), default=[0.0, 50.0], help="milliseconds a page, with commas between")
    add("--peers", type=_several(_one_of(names)), default=names, help=f"some of {','.join(names)}")
    add("--budget", type=float, default=180.0, help="seconds; a peer that takes more for a run is left out from there")
    add("--quick", action="store_true", help="a few minutes instead of many: little, twice, and the script only once")
    add("--json", type=Path, default=ROOT / "build" / "benchmarks.json", help="where the results go")
    add("--bench-python", type=_interpreter, default=".venv-bench/bin/python", help="the interpreter that has dlt")
    options = parser.parse_args()
    for name, value in QUICK.items() if options.quick else ():
        setattr(options, name, value)
    return options


def _several(kind: Callable[[str], T]) -> Callable[[str], list[T]]:
    def several(text: str) -> list[T]:
        return [kind(part) for part in text.split(",")]

    return several


def _one_of(names: list[str]) -> Callable[[str], str]:
    def one_of(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(names)}")
        return text

    return one_of


def _interpreter(text: str) -> str:
    """A relative path is this project's; not resolved, since a venv's interpreter is a link out of it."""
    return str(ROOT / text)


def _line(at: dict[str, Any], cost: Cost) -> str:
    written = " ".join(f"{table} {'/'.join(map(str, counts))}" for table, counts in cost.rows.items())
    return (
        f"{at['round']} {at['scenario']:11} {at['peer']:6} {cost.seconds:7.2f} s  cpu {cost.cpu:6.2f} s  "
        f"postgres {cost.database_cpu:6.2f} s  {cost.memory / 1e6:5.0f} MB  wal {cost.wal / 1e6:7.2f} MB  "
        f"{cost.requests:4} requests  {written or 'no row written'}"
    )


def _save(path: Path, results: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
