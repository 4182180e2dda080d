"""A scheduler in which a library fails as nobody foresaw: a failed run on record, and everything else goes on."""

from __future__ import annotations

from pathlib import Path

from checkout import CHECKOUT
from cli_tools import Job, ask, finished, until
from servers import Server

from sync.simulator import Simulator, World

# Loaded by every Python at its start: requests to one port fail inside the HTTP library while a file exists.
PLANTED = """
import os, sys
def fail(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "handle_request" and "httpcore" in frame.f_code.co_filename:
        request = frame.f_locals.get("request")
        if str(getattr(request.url, "port", "")) == os.environ["BROKEN_PORT"] and os.path.exists(os.environ["BROKEN"]):
            raise KeyError("planted in a library")
if "schedule" in sys.argv:
    import threading
    threading.setprofile(fail)
"""
COUNT = "SELECT count(*) FROM inventory.runs WHERE source = %s AND status = %s"


def test_an_unforeseen_fault_stops_no_other_run(tmp_path: Path, server_newest: Server) -> None:
    """Runs of the source that meets the fault are failed ones, on record and in the metrics, and later take effect.

    The other source is synced all the time.
    """
    (tmp_path / "sitecustomize.py").write_text(PLANTED)
    (tmp_path / "broken").touch()
    metrics = tmp_path / "metrics.prom"
    with Simulator(World(1, 3), token="example") as good, Simulator(World(2, 3), token="example") as bad:
        tables = [
            f'[[sources]]\nname = "{name}"\nendpoint = "{url}"\ntoken = "example"\n'
            for name, url in (("good", good.url), ("bad", bad.url))
        ]
        (tmp_path / "image-sync.toml").write_text("\n".join([f'metrics_file = "{metrics}"', *tables]))
        job = Job(tmp_path, server_newest.migrated(), BROKEN_PORT=bad.url.rpartition(":")[2])
        job.settings |= {"BROKEN": str(tmp_path / "broken"), "PYTHONPATH": f"{tmp_path}:{CHECKOUT}"}
        running = job.start("schedule", "--every", "1s")
        until(lambda: ask(job.url, COUNT, "bad", "failed") >= 2 and ask(job.url, COUNT, "good", "done") >= 3)
        until(lambda: metrics.exists() and 'runs_total{source="bad",status="failed"}' in metrics.read_text())
        (tmp_path / "broken").unlink()
        until(lambda: ask(job.url, COUNT, "bad", "done") >= 1)
        running.terminate()
        done = finished(running)

    assert done.code == 0
    assert "Traceback" not in done.err
    reasons = ask(
        job.url, "SELECT string_agg(DISTINCT error || ' ' || reason, '|') FROM inventory.runs WHERE error > ''"
    )
    assert reasons.startswith("UnexpectedError unexpected KeyError: 'planted in a library'; please report it")
