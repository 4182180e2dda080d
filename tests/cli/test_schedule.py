"""The scheduler in operation: monitored, reloaded, run twice at once, and without a database."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import breakage
import pytest
from checkout import CHECKOUT
from cli_tools import Job, ask, column, finished, until
from http_server import HttpServer, always, reply
from prometheus_client.parser import text_string_to_metric_families
from proxy import Proxy

from sync.domain.metrics import ProcessMetrics
from sync.metrics.server import Answer, Listener
from sync.simulator import Simulator
from sync.store.connection import Target, connect
from sync.store.queries.invariants import violations
from sync.store.queries.metrics import MetricsQuery

SKIPPED = "SELECT count(*) FROM inventory.runs WHERE source = %s AND status = 'skipped'"
STATUSES = "SELECT status FROM inventory.runs ORDER BY run"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def job(tmp_path: Path, target: Target, cloud: Simulator) -> Job:
    """A job with an empty inventory and a small cloud."""
    return Job(tmp_path, target.url, cloud)


@contextmanager
def started(job: Job, *arguments: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run a scheduler; end it with SIGTERM, which must exit with 0, and add its standard error to the list."""
    errors: list[str] = []
    running = job.start("schedule", *arguments, **settings)
    try:
        yield running, errors
    finally:
        running.send_signal(signal.SIGTERM)
        done = finished(running)
        errors.append(done.err)
    assert (done.code, done.out) == (0, "")
    assert "Traceback" not in done.err


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def get(port: int, path: str) -> tuple[int, str]:
    """The status and text of a page; status 0 if nothing answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def samples(text: str) -> Samples:
    """Every metric by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sample(metrics: Samples, name: str, **labels: str) -> float:
    """One metric of the source."""
    return metrics[f"image_sync_{name}", tuple(sorted(({"source": "default"} | labels).items()))]


def test_health_pages_and_metrics(job: Job, target: Target) -> None:
    """The health pages answer, and the metrics agree with the database and have every name the alerts use."""
    port = free_port()
    with started(job, "--every", "1s", "--listen", f"127.0.0.1:{port}"):
        until(lambda: column(job.url, STATUSES).count("done") >= 2)
        healthy, ready, missing = (get(port, path) for path in ("/healthz", "/readyz", "/nothing"))
        until(lambda: sample(samples(get(port, "/metrics")[1]), "runs_total", status="done") >= 2)
        metrics = samples(get(port, "/metrics")[1])

    assert (healthy, ready, missing[0]) == ((200, "ok\n"), (200, "ok\n"), 404)
    assert sample(metrics, "images_live") == 1200 == sample(metrics, "changes_total", kind="created")
    assert sample(metrics, "last_run_status", status="done") == 1
    assert sample(metrics, "schedule_interval_seconds") == 1
    assert sample(metrics, "requests_total") >= 6
    assert metrics["image_sync_database_up", ()] == 1
    proven = ask(job.url, "SELECT extract(epoch FROM min(effective_at))::float8 FROM inventory.runs")
    assert sample(metrics, "last_proven_run_timestamp_seconds") >= proven
    assert {"read", "write", "total"} <= {dict(labels).get("phase") for _name, labels in metrics}
    rules = (CHECKOUT / "deploy" / "prometheus" / "image-sync.rules.yaml").read_text(encoding="utf-8")
    used = set(re.findall(r"\bimage_sync_\w+", "".join(line for line in rules.splitlines() if "#" not in line)))
    # The expiry of a token is known only with a user of the identity service.
    names = {name for name, _labels in metrics} | {"image_sync_token_expiry_timestamp_seconds"}
    assert used <= names
    assert len(used) > 8


def test_the_scheduler_survives_a_lost_database(job: Job, target: Target) -> None:
    """Without its database the scheduler is alive but not ready, keeps the last metrics, and later goes on."""
    port = free_port()
    with Proxy(target.url) as proxy:
        job.settings["IMAGE_SYNC_DATABASE_URL"] = proxy.url
        with started(job, "--every", "1s", "--listen", f"127.0.0.1:{port}") as (_running, errors):
            until(lambda: ('image_sync_images_live{source="default"} 1200.0') in get(port, "/metrics")[1])
            proxy.refusals = 10**6
            until(lambda: get(port, "/readyz")[0] == 503)
            until(lambda: samples(get(port, "/metrics")[1])["image_sync_database_up", ()] == 0)
            metrics, (alive, _text), (_status, reason) = (
                samples(get(port, "/metrics")[1]),
                get(port, "/healthz"),
                get(port, "/readyz"),
            )

            proxy.refusals = 0
            until(lambda: get(port, "/readyz")[0] == 200)
            ended = ask(job.url, "SELECT count(*) FROM inventory.runs WHERE status = 'done'")
            until(lambda: ask(job.url, "SELECT count(*) FROM inventory.runs WHERE status = 'done'") > ended)

    assert (alive, sample(metrics, "images_live")) == (200, 1200)
    assert len(reason.splitlines()) == 1
    assert "run failed" in errors[0]


def test_the_scheduler_starts_without_a_database(tmp_path: Path, cloud: Simulator) -> None:
    """Without a database the scheduler starts, reports it, and ends normally."""
    job = Job(tmp_path, "postgresql://nobody:canary@127.0.0.1:1/none", cloud)
    port = free_port()
    with started(job, "--every", "1s", "--listen", f"127.0.0.1:{port}") as (_running, errors):
        until(lambda: get(port, "/readyz")[0] == 503)
        text = get(port, "/metrics")[1] + get(port, "/readyz")[1]

    assert "image_sync_database_up 0.0" in text
    assert "canary" not in text + errors[0]


def test_sighup_reloads_the_settings(tmp_path: Path, target: Target, cloud: Simulator) -> None:
    """SIGHUP adds and removes sources; invalid settings change nothing."""
    file = tmp_path / "image-sync.toml"

    def sources(*names: str, more: str = "", head: str = "") -> None:
        text = head + "".join(
            f'[[sources]]\nname = "{name}"\nendpoint = "{cloud.url}"\ntoken = "{cloud.token}"\nschedule = "1s"\n{more}'
            for name in names
        )
        file.write_text(text)
        file.chmod(0o600)

    def done(name: str) -> bool:
        return bool(ask(target.url, "SELECT count(*) FROM inventory.runs WHERE source = %s AND status = 'done'", name))

    sources("one")
    job, port = Job(tmp_path, target.url), free_port()
    with started(job, "--listen", f"127.0.0.1:{port}") as (running, errors):
        until(lambda: done("one"))
        sources("two", more="schedul = 1\n")
        running.send_signal(signal.SIGHUP)
        before = ask(target.url, "SELECT count(*) FROM inventory.runs")
        until(lambda: ask(target.url, "SELECT count(*) FROM inventory.runs") > before + 1)
        assert not done("two")
        sources("two", more="", head="jobs = 9\n")
        running.send_signal(signal.SIGHUP)
        until(lambda: done("two"))
        # A removed source has no metrics any more, as its rising age would alert for ever.
        until(lambda: {dict(labels).get("source") for _, labels in samples(get(port, "/metrics")[1])} == {"two", None})
        cloud.faults.add(breakage.delay(1.5), times=2)
        until(lambda: ask(target.url, SKIPPED, "two"))
        last = ask(target.url, "SELECT max(run) FROM inventory.runs WHERE source = 'two'")
        until(lambda: ask(target.url, "SELECT max(run) FROM inventory.runs WHERE source = 'two'") > last)

    assert ask(target.url, "SELECT max(run) FROM inventory.runs WHERE source = 'one'") <= last
    events = [json.loads(line)["event"] for line in errors[0].splitlines()]
    assert (events.count("settings not reloaded"), events.count("settings reloaded")) == (1, 1)
    assert "jobs: changed, but in force only after a restart" in errors[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "source default: it has no schedule"),
        (("--every", "1h", "--cron", "0 0 * * *"), "not both"),
        (("--every", "1y2"), "'--every': takes a time from 1s to 366d"),
        (("--cron", "0 0 31 2 *"), "never comes"),
        (("--cron", "0 6 * * funday"), "funday"),
        (("--every", "1h", "--grace", "2d"), "'--grace': takes a time from 0s to 1h"),
        (("--every", "1h", "--listen", "nowhere"), "HOST:PORT"),
        (("--every", "1h", "--listen", "127.0.0.1:99999"), "--listen"),
        (("--every", "1h", "--source", "other"), "no source 'other'"),
    ],
)
def test_invalid_options_are_reported_at_start(job: Job, arguments: tuple[str, ...], message: str) -> None:
    """Invalid options exit with 2 before any run."""
    done = job("schedule", *arguments)

    assert (done.code, message in done.err) == (2, True), done.err
    assert column(job.url, STATUSES) == []


def test_an_address_in_use_is_reported_at_start(job: Job) -> None:
    """An address in use exits with 2 and names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = job("schedule", "--every", "1h", "--listen", f"127.0.0.1:{port}")

    assert (done.code, f"port {port}" in done.err) == (2, True)


def test_sigterm_lets_a_run_finish(job: Job, cloud: Simulator) -> None:
    """A run may finish within the grace; a second signal interrupts it."""
    cloud.faults.add(breakage.drip(150_000), times=3)
    with started(job, "--every", "1h"):
        until(cloud.journal.answers)
    assert column(job.url, STATUSES) == ["done"]

    cloud.faults.add(breakage.black_hole(), times=None)
    before = len(cloud.journal.answers())
    with started(job, "--every", "1h", "--grace", "1h") as (running, _said):
        until(lambda: len(cloud.journal.answers()) > before)
        running.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert running.poll() is None  # it waits until the second signal
    assert column(job.url, STATUSES) == ["done", "interrupted"]


def test_sigterm_ends_the_scheduler_as_process_1(job: Job, cloud: Simulator) -> None:
    """As process 1, where the kernel drops unhandled signals, SIGTERM ends it with exit code 0 too."""
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", "sync", "schedule", "--every", "1h"]
    if subprocess.run([*command[:4], "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this machine allows no process namespace of one's own")
    running = subprocess.Popen(
        command, env=job.environ(), cwd=job.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: column(job.url, STATUSES) == ["done"])
    inside = int(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text(encoding="ascii"))
    spaces = Path(f"/proc/{inside}/status").read_text(encoding="ascii").partition("NSpid:")[2].splitlines()[0]
    os.kill(inside, signal.SIGTERM)
    done = finished(running)

    assert spaces.split()[-1] == "1"
    assert (done.code, "Traceback" in done.err) == (0, False)


def test_two_schedulers_on_one_database(job: Job, target: Target) -> None:
    """Two schedulers on one database end every run properly and break no invariant."""
    with started(job, "--every", "1s"), started(job, "--every", "1s"):
        until(lambda: column(job.url, STATUSES).count("done") >= 8)

    assert set(column(job.url, STATUSES)) <= {"done", "superseded", "skipped"}
    assert ask(job.url, "SELECT count(*) FROM inventory.live_images") == 1200
    with connect(target) as connection:
        assert violations(connection) == []


def test_a_single_run_publishes_metrics(job: Job, tmp_path: Path) -> None:
    """A run writes its metrics to a file that all can read and pushes them, under the scheduler's names."""
    file = tmp_path / "image-sync.prom"
    with HttpServer(always(reply(status=202))) as gateway:
        done = job("run", IMAGE_SYNC_METRICS_FILE=str(file), IMAGE_SYNC_METRICS_PUSH=gateway.url)
        (request,) = gateway.asked

    metrics = samples(file.read_text(encoding="utf-8"))
    assert done.code == 0
    assert (file.stat().st_mode & 0o777, sample(metrics, "images_live")) == (0o644, 1200)
    assert request.target == "/metrics/job/image-sync"
    assert samples(request.body.decode()).keys() == metrics.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["image-sync.prom"]


def test_failing_metrics_do_not_fail_a_run(job: Job, tmp_path: Path) -> None:
    """A missing folder or a failing gateway is a warning each, without the password."""
    gone = {
        "IMAGE_SYNC_METRICS_FILE": str(tmp_path / "none" / "x.prom"),
        "IMAGE_SYNC_METRICS_PUSH": "http://u:canary@127.0.0.1:1",
    }
    away = job("run", **gone)
    with HttpServer(always(reply(b"no", status=500))) as gateway:
        refused = job("run", IMAGE_SYNC_METRICS_PUSH=gateway.url)

    for done, count in ((away, 2), (refused, 1)):
        events = [json.loads(line)["event"] for line in done.err.splitlines() if line.startswith("{")]
        assert (done.code, sum("metrics not" in event for event in events)) == (0, count)
        assert "canary" not in done.err


def test_metrics_outlast_the_database(job: Job, tmp_path: Path) -> None:
    """Without a database a run keeps the last metrics, so that alerts go on, and marks the database as down."""
    file = tmp_path / "image-sync.prom"
    first = job("run", IMAGE_SYNC_METRICS_FILE=str(file))
    before = samples(file.read_text(encoding="utf-8"))
    with HttpServer(always(reply(status=202))) as gateway:
        away = {
            "IMAGE_SYNC_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "IMAGE_SYNC_METRICS_PUSH": gateway.url,
        }
        second = job("run", IMAGE_SYNC_METRICS_FILE=str(file), **away)
        (request,) = gateway.asked
    after = samples(file.read_text(encoding="utf-8"))

    assert (first.code, second.code) == (0, 1)
    assert [metrics["image_sync_database_up", ()] for metrics in (before, after)] == [1, 0]
    assert {**after, ("image_sync_database_up", ()): 1.0} == before
    assert request.line.startswith("POST ")  # POST keeps the metrics that it does not name
    assert b"image_sync_images_live{" not in request.body


def test_a_slow_gateway_does_not_hold_up_a_run(job: Job) -> None:
    """If a gateway answers endlessly byte by byte, the run still ends, with a warning."""

    def drip(connection: socket.socket, _asked: object) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not gateway.closing.wait(0.2):
            connection.sendall(b"x")

    with HttpServer(drip) as gateway:
        done = job("run", IMAGE_SYNC_METRICS_PUSH=gateway.url)

    assert done.code == 0
    assert "metrics not pushed" in done.err


def test_pushing_over_http_ignores_proxies_and_redirects(job: Job) -> None:
    """Over plain http, where they would see the password, proxies and redirects are ignored."""
    elsewhere = always(reply(status=307, headers={"Location": "http://127.0.0.1:1/"}))
    with HttpServer(elsewhere) as gateway, HttpServer(always(reply(status=200))) as proxy:
        address = gateway.url.replace("http://", "http://user:canary@")
        done = job("run", IMAGE_SYNC_METRICS_PUSH=address, http_proxy=proxy.url, HTTP_PROXY=proxy.url)

    assert (len(gateway.asked), len(proxy.asked)) == (1, 0)
    assert gateway.asked[0].headers["authorization"] == "Basic dXNlcjpjYW5hcnk="
    assert "HTTP 307" in done.err
    assert "canary" not in done.err


@pytest.mark.long
def test_slow_connections_are_closed() -> None:
    """Connections that send a byte now and then are closed, so that real requests are answered."""
    with Listener("127.0.0.1", 0, {"/healthz": lambda: Answer(200, b"ok")}) as listener:
        slow = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(40)]

        def drip() -> bool:
            for each in slow:
                with suppress(OSError):
                    each.sendall(b"G")
            time.sleep(0.5)
            return get(listener.port, "/healthz")[0] == 200

        began_full = get(listener.port, "/healthz")[0]
        until(drip)
        for each in slow:
            each.close()

    assert began_full == 0


def test_a_dead_run_does_not_stop_the_summing_of_metrics(target: Target, cloud: Simulator, job: Job) -> None:
    """A killed run of a removed source does not keep later runs from being summed."""
    job("run")
    with connect(target) as connection:
        connection.execute("INSERT INTO inventory.sources (name, endpoint, filter) VALUES ('gone', '', '')")
        for deadline in ("-2 hours", "2 hours"):
            connection.execute(
                """INSERT INTO inventory.runs (source, status, trigger, started_at, deadline_at, epoch, version, host)
                VALUES ('gone', 'running', 'schedule', now(), now() + %s::interval, 0, '', '')""",
                [deadline],
            )
    job("run")
    with connect(target) as connection:
        connection.execute("UPDATE inventory.runs SET started_at = now() - interval '1 hour'")
    watch = MetricsQuery(target)
    (metrics,) = [source for source in watch.source_metrics() if source.source == "default"]

    assert watch._settled == 2  # the run that may still end delays later ones; the dead one does not
    assert metrics.runs["done"] == 2


def test_incremental_metrics_equal_the_tables(job: Job, target: Target, cloud: Simulator) -> None:
    """Summed and fresh values together equal one query over all runs, run after run."""
    watch = MetricsQuery(target)
    assert watch.source_metrics() == []
    for n in range(4):
        cloud.world.churn(10)
        if n == 2:
            cloud.faults.add(breakage.truncate(100), times=1)
        job("run", IMAGE_SYNC_MAX_RETRIES="0")
        # As if a minute had passed: runs that were summed are not summed again.
        with connect(target) as connection:
            connection.execute(
                "UPDATE inventory.runs SET started_at = started_at - interval '1 hour' WHERE run = %s", [n + 1]
            )
        (metrics,) = watch.source_metrics()
        assert metrics.runs == dict(_rows(target, "SELECT status, count(*) FROM inventory.runs GROUP BY 1"))
        assert metrics.sums["requests"] == ask(target.url, "SELECT sum(requests)::int FROM inventory.runs")
        assert metrics.live == ask(target.url, "SELECT count(*) FROM inventory.live_images")
        assert metrics.failed == (1 if n == 2 else 0)
    assert (metrics.status, ProcessMetrics().phases) == ("done", {})


def _rows(target: Target, query: str) -> list[Any]:
    with connect(target) as connection:
        return connection.execute(query.encode()).fetchall()
