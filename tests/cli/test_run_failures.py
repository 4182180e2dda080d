"""Each failure gives the user one sentence, and writes only the record of the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import effects
import pytest
from cli_tools import FAST, Done, Job, ask, dump, finished, with_password, without
from effects import Effect
from fault_rules import FaultySimulator
from servers import Server

from sync.simulator import Simulator, World
from sync.store.connection import Target

NOWHERE = "127.0.0.1:1"  # a port that no server has


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["notice", "--test"], "`notice` is now `notify`"),
        (["db", "check"], "`db check` is now `db status`"),
        (["approve", "--scope", "prod"], "`approve --scope prod` is now `sources accept-filter prod`"),
    ],
)
def test_a_renamed_command_names_the_new_one(tmp_path: Path, old: list[str], new: str) -> None:
    """A renamed command exits with 2 and names the new command."""
    done = Job(tmp_path)(*old)

    assert done.code == 2
    assert new in done.err


@pytest.fixture(scope="module")
def synced(server_newest: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, Simulator]]:
    """A job that ran once, and its cloud; shared by tests whose runs only fail."""
    with FaultySimulator(World(seed=1, size=30)) as cloud:
        job = Job(tmp_path_factory.mktemp("failures"), server_newest.migrated(), cloud, **FAST)
        assert job("run").code == 0
        yield job, cloud


FAILURES = {
    "forbidden": (effects.status(403), "ForbiddenError", "HTTP 403"),
    "not found": (effects.status(404), "RejectedError", "HTTP 404"),
    "fault": (effects.status(500), "ServerFaultError", "fault of its own"),
    "unavailable": (effects.status(503, style="html"), "ServerFaultError", "HTTP 503"),
    "throttled": (effects.throttled(), "ThrottledError", "fewer requests"),
    "redirect": (effects.status(302, location="https://login.example.org/"), "RejectedError", "HTTP 302"),
    "web page": (effects.garbage("html"), "BrokenAnswerError", "JSON"),
    "no list": (effects.images("missing"), "ContractError", "images"),
    "null list": (effects.images("null"), "ContractError", "images"),
}


@pytest.mark.parametrize(("effect", "error", "message"), FAILURES.values(), ids=FAILURES)
def test_an_answer_without_a_list(synced: tuple[Job, Simulator], effect: Effect, error: str, message: str) -> None:
    """An answer that is not a list exits with 1, one sentence and a record, and changes no other table."""
    job, cloud = synced
    before = dump(job.url)
    cloud.faults.add(effect, times=None)
    done = job("run", "--format", "json", **FAST)
    cloud.faults.clear()

    assert_recorded(job, done, before, error, message)


def test_refused_credentials(synced: tuple[Job, Simulator]) -> None:
    """With a stale token the exit code is 1, and the advice is to renew it."""
    job, _ = synced
    before = dump(job.url)
    done = job("run", "--format", "json", IMAGE_SYNC_TOKEN="stale-token")

    assert_recorded(job, done, before, "UnauthorizedError", "renew the token")


def test_unreachable_endpoint(synced: tuple[Job, Simulator]) -> None:
    """An unreachable endpoint exits with 1 and names the address."""
    job, _ = synced
    before = dump(job.url)
    done = job("run", "--format", "json", IMAGE_SYNC_ENDPOINT=f"http://{NOWHERE}")

    assert_recorded(job, done, before, "ConnectionFailedError", f"{NOWHERE} cannot be reached")


def assert_recorded(job: Job, done: Done, before: dict[str, list[str]], error: str, message: str) -> None:
    """Assert that the run failed with one line, recorded the same reason, and wrote nothing else."""
    reason = done.row["reason"]
    assert (done.code, done.row["status"]) == (1, "failed")
    assert message in reason
    assert message in done.err
    assert len([line for line in done.err.splitlines() if message in line]) == 1
    assert "Traceback" not in done.err
    record = ask(
        job.url, "SELECT concat_ws('|', status, error, reason) FROM inventory.runs WHERE run = %s", done.row["run"]
    )
    assert record == f"failed|{error}|{reason}"
    assert without(dump(job.url), "runs", "runs_run_seq") == without(before, "runs", "runs_run_seq")


def test_unreachable_database(synced: tuple[Job, Simulator]) -> None:
    """With an unreachable database every command exits with 1 and the reason, and never shows the password."""
    job, cloud = synced
    since = cloud.journal.seq
    url = f"postgresql://user:not-to-be-seen@{NOWHERE}/inventory"
    started = [job.start(*command, IMAGE_SYNC_DATABASE_URL=url) for command in (["run"], ["status"], ["db", "status"])]
    results = [finished(process) for process in started]

    assert [each.code for each in results] == [1, 1, 1]
    assert all("the database can't be reached" in each.err for each in results)
    assert not any("not-to-be-seen" in each.out + each.err or "Traceback" in each.err for each in results)
    assert cloud.journal.seq == since


def test_wrong_database_password(synced: tuple[Job, Simulator], server: Server) -> None:
    """A wrong password exits with 1 and the server's reason, and is never shown."""
    job, _ = synced
    url = with_password(server, "careful", "the-right-one")
    wrong = job("run", IMAGE_SYNC_DATABASE_URL=url.format("a-wrong-one"))
    right = job("run", IMAGE_SYNC_DATABASE_URL=url.format("the-right-one"))

    assert wrong.code == 1
    assert "password authentication failed" in wrong.err
    assert "a-wrong-one" not in wrong.out + wrong.err
    assert right.code == 0


def test_all_invalid_settings_are_reported_at_once(tmp_path: Path) -> None:
    """Invalid and missing settings are all named, and the exit code is 2."""
    wrong = {
        "IMAGE_SYNC_LOG_LEVEL": "loud",
        "IMAGE_SYNC_TIMEOUT": "soon",
        "IMAGE_SYNC_CONCURENCY": "4",
        "IMAGE_SYNC_DATABASE_URL": "mysql://user:not-to-be-seen@db/x",
        "IMAGE_SYNC_TOKEN_FILE": "/nonexistent/token",
        "IMAGE_SYNC_FILTER": "colour=red",
    }
    done = Job(tmp_path, **wrong)("run")

    assert (done.code, done.out) == (2, "")
    assert "7 settings are invalid" in done.err
    assert all(name in done.err for name in [*wrong, "IMAGE_SYNC_ENDPOINT", "did you mean IMAGE_SYNC_CONCURRENCY"])
    assert "not-to-be-seen" not in done.err


USAGE = [
    [],
    ["no-such-command"],
    ["run", "--format", "xml"],
    ["run", "--source", "nobody"],
    ["--config", "/nonexistent.toml", "run"],
    ["approve"],
    ["sources", "accept-filter", "default"],
    ["schedule", "--every", "0.5s"],
    ["schedule", "--every", "99999999999d"],
    ["demo", "--folder", "/"],
    ["simulate", "--user", "me"],
]


@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("NO_PROXY", "localhost,10.0.0.0/99", "`10.0.0.0/99` cannot be used"),
        ("ALL_PROXY", "socks://user:canary@127.0.0.1:7890/", "`socks://` cannot be used"),
        ("HTTPS_PROXY", "http://user:canary@127.0.0.1:port", "its host or port cannot be used"),
        ("SSLKEYLOGFILE", "/nonexistent/x", "/nonexistent/x cannot be written"),
        ("SSL_CERT_FILE", "/nonexistent/x", "/nonexistent/x cannot be read"),
        ("SSL_CERT_DIR", "/nonexistent", "/nonexistent cannot be read"),
    ],
)
def test_an_unusable_environment_is_named(synced: tuple[Job, Simulator], variable: str, value: str, part: str) -> None:
    """A proxy or certificates of the environment that cannot be used end `run` with 2, and are a line of `doctor`."""
    job, _ = synced
    given = {"HTTPS_PROXY": "http://127.0.0.1:1"} | {variable: value, "IMAGE_SYNC_ENDPOINT": "https://127.0.0.1:1"}
    if variable == "ALL_PROXY":
        del given["HTTPS_PROXY"]
    done = job("run", **given)
    examined = job("doctor", "--offline", "--format", "json", **given)

    assert done.code == 2
    assert f"{variable} (environment): {part}" in done.err
    assert f"{variable} (environment): {part}" in next(
        row["found"] for row in examined.rows if row["check"] == "network"
    )
    assert "Traceback" not in done.err + examined.err
    assert "canary" not in done.err + examined.out + examined.err


def test_wrong_usage_exits_with_2(synced: tuple[Job, Simulator]) -> None:
    """Wrong usage of every kind exits with 2 and a sentence, without data or traceback, and writes nothing."""
    job, _ = synced
    before = dump(job.url)
    results = {" ".join(command): finished(job.start(*command)) for command in USAGE}

    assert {name: each.code for name, each in results.items()} == dict.fromkeys(results, 2)
    assert not any(each.out or "Traceback" in each.err for each in results.values())
    assert all(each.err for each in results.values())
    assert dump(job.url) == before


def test_debug_shows_the_traceback(synced: tuple[Job, Simulator]) -> None:
    """An error is one sentence, and a traceback with --debug."""
    job, _ = synced
    plain, debug = job("history", "no-such-id"), job("--debug", "history", "no-such-id")

    assert plain.code == 2
    assert plain.err.startswith("image-sync: no image no-such-id was ever seen")
    assert len(plain.err.splitlines()) == 1
    assert "Traceback" in debug.err
    assert "sync/store/queries/inventory.py" in debug.err


def test_reading_an_empty_database(tmp_path: Path, server: Server, cloud: Simulator) -> None:
    """Commands that only read exit with 2 on an empty database, and say how to make the schema."""
    job = Job(tmp_path, server.empty(), cloud)
    results = [job(*command) for command in (["plan"], ["status"], ["db", "status"], ["approve", "1"])]

    assert [each.code for each in results] == [2, 2, 2, 2]
    assert all("image-sync db" in each.err for each in results)
    assert ask(job.url, "SELECT count(*) FROM pg_namespace WHERE nspname = 'inventory'") == 0


def test_empty_list_is_never_believed(tmp_path: Path, target: Target, cloud: Simulator) -> None:
    """An empty list holds every deletion and exits with 4."""
    job = Job(tmp_path, target.url, cloud)
    job("run")
    cloud.faults.add(effects.images("empty"), times=None)
    done = job("run", "--format", "json")

    assert (done.code, done.row["deleted"]) == (4, 0)
    assert "an empty list is never believed" in done.err
    assert ask(job.url, "SELECT count(*) FROM inventory.images WHERE deleted_at IS NULL") == 1200
