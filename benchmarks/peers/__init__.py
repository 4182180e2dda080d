"""The peers: what else would keep images in PostgreSQL, each with a history. One module each, run as a whole process.

A peer is told where to read and write by BENCH_ENDPOINT, BENCH_TOKEN and BENCH_DATABASE_URL; what it keeps between runs
goes to BENCH_FOLDER.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

EPOCH = 1_514_764_800  # 2018-01-01, from which the fake cloud counts

_LIVE = "SELECT count(*), coalesce(sum(extract(epoch FROM updated_at)), 0)::bigint FROM {} WHERE {}"


@dataclass(frozen=True)
class Peer:
    """One way to do the work.

    Attributes:
        name: what it is called in options.
        label: what it is called in tables.
        command: how it is run.
        live: query for the number of live images, and the sum of their ``updated_at`` in seconds since 1970.
        settings: settings of the job by which it differs.
    """

    name: str
    label: str
    command: tuple[str, ...]
    live: str
    settings: Mapping[str, str] = field(default_factory=dict)


def peers(bench_python: str) -> dict[str, Peer]:
    """All of them, by name.

    Args:
        bench_python: the interpreter that has dlt.
    """
    own = sys.executable
    ours, live = (own, "-m", "sync", "run"), _LIVE.format("inventory.live_images", "true")
    by_marker = {"PROJECT_ID": "benchmark"}
    current = _LIVE.format("image", "gone_at IS NULL")
    found = (
        Peer("ours", "image-sync run", ours, live),
        Peer("glance", "image-sync run, from Glance", ours, live, {"API": "glance", **by_marker}),
        Peer("ims", "image-sync run, from IMS", ours, live, {"API": "ims", **by_marker}),
        Peer("lean", "lean + httpx (the floor)", (own, "-m", "benchmarks.peers.lean"), current),
        Peer("expert", "PostgreSQL expert's script", (own, "-m", "benchmarks.peers.expert"), current),
        Peer(
            "dlt",
            "dlt, scd2",
            (bench_python, "-m", "benchmarks.peers.dlt_scd2"),
            _LIVE.format("peer.image", "_dlt_valid_to IS NULL"),
        ),
        Peer("script", "a day's script", (own, "-m", "benchmarks.peers.script"), current),
    )
    return {peer.name: peer for peer in found}
