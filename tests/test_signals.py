"""Signals and deadlines end a command even if the database is silent, a thread hangs or the program is blocked."""

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
# A program whose main thread never handles a signal: it is blocked in a system call, as a C library may be.
BLOCKED = """
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
    """A proxy in front of the database that can go silent."""
    with Proxy(target.url) as opened:
        yield opened


def wait_for_end(process: subprocess.Popen[str], seconds: float) -> tuple[int, str]:
    """Exit code and standard error of a process that must end within some seconds."""
    started = time.monotonic()
    result = finished(process)
    assert time.monotonic() - started < seconds
    return result.code, result.err


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_stop_ends_a_command_whose_database_is_silent(
    tmp_path: Path, proxy: Proxy, cloud: Simulator, command: str
) -> None:
    """SIGTERM ends a command within ten seconds with exit code 1, even if the database no longer responds."""
    before_answer(cloud, 1, proxy.fall_silent)
    process = Job(tmp_path, proxy.url, cloud).start(command)
    until(lambda: proxy.silent)
    time.sleep(1)  # by then the list is read, and a statement is under way
    process.send_signal(signal.SIGTERM)
    code, stderr = wait_for_end(process, 10)

    assert code == 1
    assert "interrupted" in stderr
    assert "Traceback" not in stderr


def test_a_command_whose_database_is_silent_ends_at_its_deadline(
    tmp_path: Path, proxy: Proxy, target: Target, cloud: Simulator
) -> None:
    """A run whose database is silent ends at its deadline, and is recorded once a new connection works."""
    before_answer(cloud, 1, proxy.fall_silent)
    process = Job(tmp_path, proxy.url, cloud, IMAGE_SYNC_DEADLINE="3").start("run")
    until(lambda: proxy.silent)
    time.sleep(5)
    proxy.silent = False  # for new connections
    code, stderr = wait_for_end(process, 12)

    assert code == 1
    assert "deadline of 3 s" in stderr
    assert column(target.url, STATUSES) == ["failed"]


@pytest.mark.long
def test_a_schedule_whose_database_is_silent_ends(tmp_path: Path, proxy: Proxy, cloud: Simulator) -> None:
    """SIGTERM ends a schedule within ten seconds after its grace period with exit code 0."""
    before_answer(cloud, 1, proxy.fall_silent)
    metrics = {
        "IMAGE_SYNC_METRICS_FILE": str(tmp_path / "metrics.prom"),
        "IMAGE_SYNC_METRICS_PUSH": "http://127.0.0.1:9",
    }
    job = Job(tmp_path, proxy.url, cloud, IMAGE_SYNC_NOTICE_URL="http://127.0.0.1:9/hook", **metrics)
    process = job.start("schedule", "--every", "2s", "--grace", "1s")
    until(lambda: proxy.silent)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    code, stderr = wait_for_end(process, 11)

    assert code == 0
    assert "schedule ended" in stderr


def test_a_second_signal_ends_a_blocked_process() -> None:
    """A second signal ends a blocked process after three seconds with exit code 1 and a message."""
    process = _blocked()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert process.poll() is None
    code, stderr = wait_for_end(process, 4)

    assert code == 1
    assert "another signal came" in stderr


def test_a_third_signal_ends_a_process_at_once() -> None:
    """A third signal ends a blocked process at once with exit code 1."""
    process = _blocked()
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    code, _stderr = wait_for_end(process, 1.5)

    assert code == 1


def test_a_signal_that_comes_twice_at_once_counts_as_one() -> None:
    """A signal sent to the process and to its group counts as one, so the process has time to end by itself."""
    process = _blocked(same=1.0)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    time.sleep(4)
    alive = process.poll() is None
    process.kill()
    finished(process)

    assert alive


def _blocked(same: float = 0.1) -> subprocess.Popen[str]:
    environ, program = environment(PYTHONPATH=str(CHECKOUT)), BLOCKED.format(same=same)
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", program], env=environ, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_slow_callbacks_do_not_delay_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """All callbacks of a stop run at the same time, and a slow one delays the stop only briefly."""
    monkeypatch.setattr("sync.signals._CALLBACKS", 0.2)
    stop, gate = Stop(), threading.Event()
    started = time.monotonic()
    with stop.on_set(gate.wait), stop.on_set(gate.wait):
        stop.set()
    gate.set()

    assert stop.is_set()
    assert time.monotonic() - started < 1


def test_health_reports_an_overdue_run() -> None:
    """A run past its deadline by more than a minute makes /healthz fail with the name of its source, until it ends."""
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
