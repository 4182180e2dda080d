"""The fake cloud as the harness holds it: a process that is told what to be."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlencode
from urllib.request import urlopen


@dataclass(frozen=True)
class Truth:
    """What the cloud really has, to hold a database against.

    Attributes:
        size: images of generation 0.
        generation: how often the world was changed.
        live: images there are.
        updated: sum of their ``updated_at``, in seconds since 2018.
        requests: pages and single images that were asked for so far.
    """

    size: int
    generation: int
    live: int
    updated: int
    requests: int


class Cloud:
    """Runs ``benchmarks.server`` for as long as the block lasts."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.server"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101 - as asked for
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self._process.communicate()

    def set(self, apis: str = "", **wanted: float) -> Truth:
        """Set size, generation or latency (ms a page); with nothing given, only ask.

        Args:
            apis: the paths of the lists, besides that of IEC, that will be read; with commas between.
            wanted: what to set.
        """
        with urlopen(f"{self.url}/control?{urlencode({'apis': apis} | wanted)}") as answer:  # noqa: S310 - our own process
            return Truth(**json.load(answer))
