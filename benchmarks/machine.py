"""On what, and with which versions, something was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.database import Database
from sync import __version__


def about(database: Database, bench_python: str) -> dict[str, str]:
    """The machine, the versions and the day."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "PostgreSQL": str(database.one("SHOW server_version")).partition(" ")[0],
        "image-sync": __version__,
        **{name: version(name) for name in ("httpx", "msgspec", "psycopg", "SQLAlchemy")},
        "dlt": _dlt(bench_python),
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _dlt(python: str) -> str:
    ask = "from importlib.metadata import version; print(version('dlt'))"
    try:
        return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none"
