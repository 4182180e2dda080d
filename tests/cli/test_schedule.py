"""The scheduler as operators have it: watched, told to read its settings again, side by side, and without a database."""

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
    """The command line on an empty inventory and a small cloud."""
    return Job(tmp_path, target.url, cloud)


@contextmanager
def started(job: Job, *arguments: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A scheduler, ended by SIGTERM; it must end with 0. The list gets what it said."""
    said: list[str] = []
    running = job.start("schedule", *arguments, **settings)
    try:
        yield running, said
    finally:
        running.send_signal(signal.SIGTERM)
        done = finished(running)
        said.append(done.err)
    assert (done.code, done.out) == (0, "")
    assert "Traceback" not in done.err


def free() -> int:
    """A port that no one listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def get(port: int, path: str) -> tuple[int, str]:
    """Status and text of a page; 0 while no one answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def samples(text: str) -> Samples:
    """Every value, by name and labels."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def of(found: Samples, name: str, **labels: str) -> float:
    """One value."""
    return found[f"image_sync_{name}", tuple(sorted(({"source": "default"} | labels).items()))]


def test_who_asks_is_answered(job: Job, target: Target) -> None:
    """Alive, ready, and metrics that say what the database says, with every name that the alert rules use."""
    port = free()
    with started(job, "--every", "1s", "--listen", f"127.0.0.1:{port}"):
        until(lambda: column(job.url, STATUSES).count("done") >= 2)
        healthy, ready, missing = (get(port, path) for path in ("/healthz", "/readyz", "/nothing"))
        until(lambda: of(samples(get(port, "/metrics")[1]), "runs_total", status="done") >= 2)
        found = samples(get(port, "/metrics")[1])

    assert (healthy, ready, missing[0]) == ((200, "ok\n"), (200, "ok\n"), 404)
    assert of(found, "images_live") == 1200 == of(found, "changes_total", kind="created")
    assert of(found, "last_run_status", status="done") == 1
    assert of(found, "schedule_interval_seconds") == 1
    assert of(found, "requests_total") >= 6
    assert found["image_sync_database_up", ()] == 1
    proven = ask(job.url, "SELECT extract(epoch FROM min(effective_at))::float8 FROM inventory.runs")
    assert of(found, "last_proven_run_timestamp_seconds") >= proven
    assert {"read", "write", "total"} <= {dict(labels).get("phase") for _name, labels in found}
    rules = (CHECKOUT / "deploy" / "prometheus" / "image-sync.rules.yaml").read_text(encoding="utf-8")
    used = set(re.findall(r"\bimage_sync_\w+", "".join(line for line in rules.splitlines() if "#" not in line)))
    told = {name for name, _labels in found} | {"image_sync_token_expiry_timestamp_seconds"}  # of users of the IAM
    assert used <= told
    assert len(used) > 8


def test_a_database_that_goes_away_is_told_and_survived(job: Job, target: Target) -> None:
    """Still alive, not ready, the last known figures and a gauge that says so; it goes on when the database is back."""
    port = free()
    with Proxy(target.url) as proxy:
        job.settings["IMAGE_SYNC_DATABASE_URL"] = proxy.url
        with started(job, "--every", "1s", "--listen", f"127.0.0.1:{port}") as (_running, said):
            until(lambda: ('image_sync_images_live{source="default"} 1200.0') in get(port, "/metrics")[1])
            proxy.refusals = 10**6
            until(lambda: get(port, "/readyz")[0] == 503)
            until(lambda: samples(get(port, "/metrics")[1])["image_sync_database_up", ()] == 0)
            found, (alive, _text), (_status, why) = (
                samples(get(port, "/metrics")[1]),
                get(port, "/healthz"),
                get(port, "/readyz"),
            )

            proxy.refusals = 0
            until(lambda: get(port, "/readyz")[0] == 200)
            ended = ask(job.url, "SELECT count(*) FROM inventory.runs WHERE status = 'done'")
            until(lambda: ask(job.url, "SELECT count(*) FROM inventory.runs WHERE status = 'done'") > ended)

    assert (alive, of(found, "images_live")) == (200, 1200)
    assert len(why.splitlines()) == 1
    assert "run failed" in said[0]


def test_a_database_that_is_not_there_yet(tmp_path: Path, cloud: Simulator) -> None:
    """The scheduler starts, says what is wrong at each turn, and ends well when it is told to."""
    job = Job(tmp_path, "postgresql://nobody:canary@127.0.0.1:1/none", cloud)
    port = free()
    with started(job, "--every", "1s", "--listen", f"127.0.0.1:{port}") as (_running, said):
        until(lambda: get(port, "/readyz")[0] == 503)
        text = get(port, "/metrics")[1] + get(port, "/readyz")[1]

    assert "image_sync_database_up 0.0" in text
    assert "canary" not in text + said[0]


def test_settings_are_read_again(tmp_path: Path, target: Target, cloud: Simulator) -> None:
    """On SIGHUP: a new source is synced, one that is gone is not, and a mistake leaves all as it was."""
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
    job, port = Job(tmp_path, target.url), free()
    with started(job, "--listen", f"127.0.0.1:{port}") as (running, said):
        until(lambda: done("one"))
        sources("two", more="schedul = 1\n")
        running.send_signal(signal.SIGHUP)
        before = ask(target.url, "SELECT count(*) FROM inventory.runs")
        until(lambda: ask(target.url, "SELECT count(*) FROM inventory.runs") > before + 1)
        assert not done("two")
        sources("two", more="", head="jobs = 9\n")
        running.send_signal(signal.SIGHUP)
        until(lambda: done("two"))
        # Who was taken out is told of no more: its age would rise for ever, and alert.
        until(lambda: {dict(labels).get("source") for _, labels in samples(get(port, "/metrics")[1])} == {"two", None})
        cloud.faults.add(breakage.delay(1.5), times=2)
        until(lambda: ask(target.url, SKIPPED, "two"))
        last = ask(target.url, "SELECT max(run) FROM inventory.runs WHERE source = 'two'")
        until(lambda: ask(target.url, "SELECT max(run) FROM inventory.runs WHERE source = 'two'") > last)

    assert ask(target.url, "SELECT max(run) FROM inventory.runs WHERE source = 'one'") <= last
    events = [json.loads(line)["event"] for line in said[0].splitlines()]
    assert (events.count("settings not reloaded"), events.count("settings reloaded")) == (1, 1)
    assert "jobs: changed, but in force only after a restart" in said[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
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
def test_what_can_not_be_is_told_at_start(job: Job, arguments: tuple[str, ...], said: str) -> None:
    """With exit code 2, and no run."""
    done = job("schedule", *arguments)

    assert (done.code, said in done.err) == (2, True), done.err
    assert column(job.url, STATUSES) == []


def test_an_address_in_use_is_told_at_start(job: Job) -> None:
    """With exit code 2, by its name."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = job("schedule", "--every", "1h", "--listen", f"127.0.0.1:{port}")

    assert (done.code, f"port {port}" in done.err) == (2, True)


def test_sigterm_lets_a_run_finish(job: Job, cloud: Simulator) -> None:
    """Within the grace it goes on to its end; a second signal ends it at once."""
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
        assert running.poll() is None  # it waits, until the second one
    assert column(job.url, STATUSES) == ["done", "interrupted"]


def test_as_process_1_it_ends_when_told(job: Job, cloud: Simulator) -> None:
    """In a process namespace of its own, where the kernel drops signals that no one handles: the same, exit code 0."""
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


def test_two_on_one_database_are_safe(job: Job, target: Target) -> None:
    """Each run of both ends as it should, and the inventory holds together."""
    with started(job, "--every", "1s"), started(job, "--every", "1s"):
        until(lambda: column(job.url, STATUSES).count("done") >= 8)

    assert set(column(job.url, STATUSES)) <= {"done", "superseded", "skipped"}
    assert ask(job.url, "SELECT count(*) FROM inventory.live_images") == 1200
    with connect(target) as connection:
        assert violations(connection) == []


def test_metrics_of_a_run_that_ends(job: Job, tmp_path: Path) -> None:
    """In a file, readable by all, and pushed; the same names as a scheduler's."""
    file = tmp_path / "image-sync.prom"
    with HttpServer(always(reply(status=202))) as gateway:
        done = job("run", IMAGE_SYNC_METRICS_FILE=str(file), IMAGE_SYNC_METRICS_PUSH=gateway.url)
        (asked,) = gateway.asked

    found = samples(file.read_text(encoding="utf-8"))
    assert done.code == 0
    assert (file.stat().st_mode & 0o777, of(found, "images_live")) == (0o644, 1200)
    assert asked.target == "/metrics/job/image-sync"
    assert samples(asked.body.decode()).keys() == found.keys()
    assert [one.name for one in tmp_path.iterdir()] == ["image-sync.prom"]


def test_metrics_fail_no_run(job: Job, tmp_path: Path) -> None:
    """A folder that is not there, a gateway that is not there, or says no: a warning each, and no password in it."""
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


def test_what_is_known_outlasts_the_database(job: Job, tmp_path: Path) -> None:
    """A run that can't reach the database leaves the last figures in the file, and says there that it is away: an alert that a source is stale must not end because nobody knows any more."""
    file = tmp_path / "image-sync.prom"
    first = job("run", IMAGE_SYNC_METRICS_FILE=str(file))
    before = samples(file.read_text(encoding="utf-8"))
    with HttpServer(always(reply(status=202))) as gateway:
        away = {
            "IMAGE_SYNC_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "IMAGE_SYNC_METRICS_PUSH": gateway.url,
        }
        second = job("run", IMAGE_SYNC_METRICS_FILE=str(file), **away)
        (asked,) = gateway.asked
    after = samples(file.read_text(encoding="utf-8"))

    assert (first.code, second.code) == (0, 1)
    assert [found["image_sync_database_up", ()] for found in (before, after)] == [1, 0]
    assert {**after, ("image_sync_database_up", ()): 1.0} == before
    assert asked.line.startswith("POST ")  # which leaves what it does not name
    assert b"image_sync_images_live{" not in asked.body


def test_a_gateway_that_drips_holds_up_no_run(job: Job) -> None:
    """Byte by byte, for ever: the run ends all the same, with a warning."""

    def drip(connection: socket.socket, _asked: object) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not gateway.closing.wait(0.2):
            connection.sendall(b"x")

    with HttpServer(drip) as gateway:
        done = job("run", IMAGE_SYNC_METRICS_PUSH=gateway.url)

    assert done.code == 0
    assert "metrics not pushed" in done.err


def test_metrics_are_pushed_past_a_proxy_that_would_see_them(job: Job) -> None:
    """Over plain http the environment's proxy is not heeded, nor a redirect followed: a password may go along."""
    elsewhere = always(reply(status=307, headers={"Location": "http://127.0.0.1:1/"}))
    with HttpServer(elsewhere) as gateway, HttpServer(always(reply(status=200))) as proxy:
        address = gateway.url.replace("http://", "http://user:canary@")
        done = job("run", IMAGE_SYNC_METRICS_PUSH=address, http_proxy=proxy.url, HTTP_PROXY=proxy.url)

    assert (len(gateway.asked), len(proxy.asked)) == (1, 0)
    assert gateway.asked[0].headers["authorization"] == "Basic dXNlcjpjYW5hcnk="
    assert "HTTP 307" in done.err
    assert "canary" not in done.err


@pytest.mark.long
def test_who_says_little_keeps_no_place() -> None:
    """Connections that send a byte now and then are hung up on, and who asks in earnest is answered."""
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


def test_a_run_that_no_one_buries_does_not_cost_for_ever(target: Target, cloud: Simulator, job: Job) -> None:
    """One that was killed, of a source that is synced no more: later runs are kept summed up all the same."""
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
    (found,) = [one for one in watch.figures() if one.source == "default"]

    assert watch._settled == 2  # the one that may still end holds up what is after it; the dead one does not
    assert found.runs["done"] == 2


def test_figures_are_those_of_the_tables(job: Job, target: Target, cloud: Simulator) -> None:
    """Kept sums and fresh ones together are what one query over all runs says, run after run."""
    watch = MetricsQuery(target)
    assert watch.figures() == []
    for n in range(4):
        cloud.world.churn(10)
        if n == 2:
            cloud.faults.add(breakage.truncate(100), times=1)
        job("run", IMAGE_SYNC_MAX_RETRIES="0")
        # As if a minute had passed: what was summed is kept, and not summed again.
        with connect(target) as connection:
            connection.execute(
                "UPDATE inventory.runs SET started_at = started_at - interval '1 hour' WHERE run = %s", [n + 1]
            )
        (found,) = watch.figures()
        assert found.runs == dict(_rows(target, "SELECT status, count(*) FROM inventory.runs GROUP BY 1"))
        assert found.sums["requests"] == ask(target.url, "SELECT sum(requests)::int FROM inventory.runs")
        assert found.live == ask(target.url, "SELECT count(*) FROM inventory.live_images")
        assert found.failed == (1 if n == 2 else 0)
    assert (found.status, ProcessMetrics().phases) == ("done", {})


def _rows(target: Target, query: str) -> list[Any]:
    with connect(target) as connection:
        return connection.execute(query.encode()).fetchall()
