"""Metrics that can't be published: whatever breaks is a line, and runs and later metrics go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from sync import wiring
from sync.cli.watching import publish
from sync.domain.metrics import ProcessMetrics, SourceMetrics
from sync.metrics.monitor import Monitor


def test_an_unforeseen_error_is_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An error of any library while the metrics are made is logged and not raised; the next ones are written."""
    broken = [True]

    def read() -> Sequence[SourceMetrics]:
        if broken.pop():
            raise RuntimeError("unforeseen, with password=canary")
        return ()

    file = tmp_path / "metrics.prom"
    loaded = wiring.load({"IMAGE_SYNC_METRICS_FILE": str(file)}, with_sources=False)
    monitor = Monitor(read, ProcessMetrics())

    publish(loaded, monitor, {})
    assert [record.message for record in caplog.records] == ["metrics not published"]
    assert "unexpected RuntimeError: unforeseen, with password=***; please report it" in str(vars(caplog.records[0]))
    assert not file.exists()

    broken.append(False)
    publish(loaded, monitor, {})
    assert file.exists()
