"""What ends a command that would not end by itself: a silent database, a thread that is stuck, a program that hears nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import CHECKOUT
from cli_tools import Job, column, finished, until
from cloud_tools import before_answer
from proxy import Proxy
from servers import environment

from sync.domain.metrics import ProcessMetrics
from sync.metrics.monitor import Monitor
from sync.signals import Stop
from sync.simulator import Simulator
from sync.store.connection import Target

STATUSES = "SELECT status FROM inventory.runs ORDER BY run"
# A program whose main thread hears nothing: it waits in the operating system, as a library in C may.
DEAF = """
import threading
from sync import logs
from sync import signals
signals._SAME = {same}
logs.configure("info", "json")
with signals.stopping() as stop:
    print("ready", flush=True)
    threading.Thread(target=threading.Event().wait).start()
    threading.Event().wait()
"""


@pytest.fixture
def proxy(target: Target) -> Iterator[Proxy]:
    """A way to the database that can fall silent."""
    with Proxy(target.url) as opened:
        yield opened


def ended(process: subprocess.Popen[str], seconds: float) -> tuple[int, str]:
    """Its exit code and what it said, if it ends in time."""
    began = time.monotonic()
    done = finished(process)
    assert time.monotonic() - began < seconds
    return done.code, done.err


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_stop_ends_a_command_whose_database_is_silent(
    tmp_path: Path, proxy: Proxy, cloud: Simulator, command: str
) -> None:
    """SIGTERM: within ten seconds and with exit code 1, though nothing passes on any connection."""
    before_answer(cloud, 1, proxy.fall_silent)
    running = Job(tmp_path, proxy.url, cloud).start(command)
    until(lambda: proxy.silent)
    time.sleep(1)  # the list is read, and the database asked
    running.send_signal(signal.SIGTERM)
    code, said = ended(running, 10)

    assert code == 1
    assert "interrupted" in said
    assert "Traceback" not in said


def test_a_command_whose_database_is_silent_ends_at_its_deadline(
    tmp_path: Path, proxy: Proxy, target: Target, cloud: Simulator
) -> None:
    """Its record is made as soon as a new connection passes."""
    before_answer(cloud, 1, proxy.fall_silent)
    running = Job(tmp_path, proxy.url, cloud, IMAGE_SYNC_DEADLINE="3").start("run")
    until(lambda: proxy.silent)
    time.sleep(5)
    proxy.silent = False  # for new connections
    code, said = ended(running, 12)

    assert code == 1
    assert "deadline of 3 s" in said
    assert column(target.url, STATUSES) == ["failed"]


@pytest.mark.long
def test_a_schedule_whose_database_is_silent_ends(tmp_path: Path, proxy: Proxy, cloud: Simulator) -> None:
    """SIGTERM: within ten seconds after the grace and with exit code 0, metrics and notices or not."""
    before_answer(cloud, 1, proxy.fall_silent)
    metrics = {
        "IMAGE_SYNC_METRICS_FILE": str(tmp_path / "metrics.prom"),
        "IMAGE_SYNC_METRICS_PUSH": "http://127.0.0.1:9",
    }
    job = Job(tmp_path, proxy.url, cloud, IMAGE_SYNC_NOTICE_URL="http://127.0.0.1:9/hook", **metrics)
    running = job.start("schedule", "--every", "2s", "--grace", "1s")
    until(lambda: proxy.silent)
    time.sleep(3)
    running.send_signal(signal.SIGTERM)
    code, said = ended(running, 11)

    assert code == 0
    assert "schedule ended" in said


def test_a_second_signal_ends_what_hears_nothing() -> None:
    """Three seconds later, with exit code 1 and a line that says so; threads that go on do not matter."""
    running = _deaf()
    running.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert running.poll() is None
    running.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert running.poll() is None
    code, said = ended(running, 4)

    assert code == 1
    assert "another signal came" in said


def test_a_third_signal_ends_it_at_once() -> None:
    """Whoever sends three does not want to wait."""
    running = _deaf()
    for _ in range(3):
        running.send_signal(signal.SIGINT)
        time.sleep(0.2)
    code, _said = ended(running, 1.5)

    assert code == 1


def test_a_signal_that_comes_twice_at_once_counts_as_one() -> None:
    """As when it is sent to the process and to its group: what ends by itself is given the time."""
    running = _deaf(same=1.0)
    running.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    running.send_signal(signal.SIGTERM)
    time.sleep(4)
    alive = running.poll() is None
    running.kill()
    finished(running)

    assert alive


def _deaf(same: float = 0.1) -> subprocess.Popen[str]:
    environ, program = environment(PYTHONPATH=str(CHECKOUT)), DEAF.format(same=same)
    pipe = subprocess.PIPE
    running = subprocess.Popen([sys.executable, "-c", program], env=environ, stdout=pipe, stderr=pipe, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    return running


def test_no_one_who_takes_long_keeps_a_stop_from_being_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """All callbacks of a stop run at the same time, and a slow one holds up the stop for a moment only."""
    monkeypatch.setattr("sync.signals._CALLBACKS", 0.2)
    stop, gate = Stop(), threading.Event()
    began = time.monotonic()
    with stop.on_set(gate.wait), stop.on_set(gate.wait):
        stop.set()
    gate.set()

    assert stop.is_set()
    assert time.monotonic() - began < 1


def test_health_tells_of_a_run_that_is_overdue() -> None:
    """A run past its deadline by more than a minute makes /healthz fail, by name; one that ended does not."""
    now = [0.0]
    process_metrics = ProcessMetrics(clock=lambda: now[0])
    page = Monitor(list, process_metrics).pages(lambda: True, lambda: None)["/healthz"]
    with process_metrics.under_way("gallery", 600):
        now[0] = 659.0
        in_time = page().status
        now[0] = 672.0
        late = page()
    after = page().status

    assert (in_time, late.status, after) == (200, 503, 200)
    assert late.text == b"a run of source gallery is overdue: it began 672 s ago, its deadline is 600 s\n"
