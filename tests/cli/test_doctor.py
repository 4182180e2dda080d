"""``image-sync doctor`` on the command line: one line per check, exit code 0 or 1, nothing written, no secret shown."""

from __future__ import annotations

import json
from pathlib import Path

import effects
import pytest
from cli_tools import Done, Job, dump, with_password
from fault_rules import FaultySimulator
from servers import Server

from sync.simulator import Simulator, World
from sync.store.connection import Target
from sync.store.schema import migrate

TOKEN = "canary-of-the-token-0123456789"


@pytest.fixture
def cloud() -> Simulator:
    """A small cloud with a secret token."""
    return FaultySimulator(World(seed=1, size=30), token=TOKEN)


@pytest.fixture
def job(tmp_path: Path, target: Target, cloud: Simulator) -> Job:
    """A job with a database and a cloud."""
    return Job(tmp_path, target.url, cloud)


def not_ok(done: Done) -> dict[tuple[str, str], str]:
    """The level of every check that is not ok, by subject and check."""
    return {(row["about"], row["check"]): row["level"] for row in done.rows if row["level"] != "ok"}


def test_all_is_well(job: Job, cloud: Simulator) -> None:
    """After a good run every check is ok, the exit code is 0, and no row is changed."""
    with cloud:
        job("run")
        before = dump(job.url)
        done = job("doctor", "--format", "json")

    assert (done.code, not_ok(done)) == (0, {})
    assert {row["about"] for row in done.rows} == {"settings", "database", "default"}
    assert dump(job.url) == before
    assert TOKEN not in done.out + done.err


def test_the_table_format(job: Job, cloud: Simulator) -> None:
    """The table goes to standard output, and a one-line summary to standard error."""
    with cloud:
        done = job("doctor")

    assert done.code == 0
    assert f"at revision {migrate.head()}" in done.out
    assert "ok" in done.err
    assert len(done.err.splitlines()) == 1


def test_a_wrong_check_sets_the_exit_code(job: Job, cloud: Simulator) -> None:
    """Warnings exit with 0 and a wrong check with 1; all other checks are reported all the same."""
    with cloud:
        job("run")
        cloud.faults.add(effects.images("empty"), times=None)
        warned = job("doctor", "--format", "json")
        cloud.faults.clear()
        wrong = job("doctor", "--format", "json", IMAGE_SYNC_TOKEN="stale")

    assert (warned.code, not_ok(warned)) == (0, {("default", "list"): "warning"})
    assert (wrong.code, not_ok(wrong)) == (1, {("default", "login"): "wrong", ("default", "list"): "skipped"})
    assert len(wrong.rows) == len(warned.rows)


def test_offline(job: Job, cloud: Simulator) -> None:
    """With --offline no request is made, but the database is checked."""
    with cloud:
        job("run")
        since = cloud.journal.seq
        done = job("doctor", "--offline", "--format", "json")

        assert cloud.journal.seq == since
    assert done.code == 0
    assert {check for (_, check), level in not_ok(done).items() if level == "skipped"} == {
        *("proxy", "name", "connection", "TLS", "login", "list", "clock"),
    }


def test_each_source_is_reported_under_its_name(job: Job, cloud: Simulator) -> None:
    """Only the requested sources are checked, and a broken one does not affect another."""
    (job.folder / "image-sync.toml").write_text(
        f"""
        [[sources]]
        name = "north"
        endpoint = "{cloud.url}"
        token = "{TOKEN}"
        [[sources]]
        name = "south"
        endpoint = "http://127.0.0.1:1"
        token = "{TOKEN}"
        """
    )
    (job.folder / "image-sync.toml").chmod(0o600)
    del job.settings["IMAGE_SYNC_ENDPOINT"], job.settings["IMAGE_SYNC_TOKEN"]
    with cloud:
        both, one = job("doctor", "--format", "json"), job("doctor", "--source", "north", "--format", "json")
        none = job("doctor", "--source", "west")

    assert (both.code, one.code, none.code) == (1, 0, 2)
    assert {about for (about, _), level in not_ok(both).items() if level == "wrong"} == {"south"}
    assert {row["about"] for row in one.rows} == {"settings", "database", "north"}


def test_invalid_settings(job: Job, cloud: Simulator) -> None:
    """Each invalid setting is a line, and everything that does not depend on it is still checked."""
    with cloud:
        source = job("doctor", "--format", "json", IMAGE_SYNC_TIMEOUT="soon", IMAGE_SYNC_CONCURENCY="4")
        general = job("doctor", "--format", "json", IMAGE_SYNC_LOG_LEVEL="loud")
        none = job("doctor", "--format", "json", IMAGE_SYNC_ENDPOINT="")

    errors = [row["found"] for row in source.rows if row["level"] == "wrong"]
    assert (source.code, general.code, none.code) == (1, 1, 1)
    assert [name for name in ("IMAGE_SYNC_TIMEOUT", "did you mean IMAGE_SYNC_CONCURRENCY") if name in str(errors)] == [
        "IMAGE_SYNC_TIMEOUT",
        "did you mean IMAGE_SYNC_CONCURRENCY",
    ]
    assert ("database", "schema") in not_ok(general)
    assert "IMAGE_SYNC_LOG_LEVEL" in str(general.rows)


def test_a_secret_that_everyone_may_read(job: Job, cloud: Simulator) -> None:
    """A secret file that others can read is a warning with its mode, and never with its content."""
    secret = job.folder / "token"
    secret.write_text(TOKEN)
    del job.settings["IMAGE_SYNC_TOKEN"]
    results = []
    with cloud:
        for mode in (0o644, 0o600):
            secret.chmod(mode)
            results.append(job("doctor", "--format", "json", IMAGE_SYNC_TOKEN_FILE=str(secret)))

    assert [not_ok(done).get(("settings", "secrets")) for done in results] == ["warning", None]
    assert "mode 0644" in results[0].out
    assert not any(TOKEN in done.out + done.err for done in results)


def test_no_secret_is_shown(job: Job, cloud: Simulator, server: Server) -> None:
    """No secret is shown for a refused password, a cloud that echoes the token, or an invalid URL."""
    url = with_password(server, "doctor_guest", "the right canary").format("a-wrong-canary")
    with cloud:
        cloud.faults.add(effects.status(400, message=f"bad request: X-Auth-Token {TOKEN}"), times=None)
        results = [
            job(
                "--debug",
                "doctor",
                "--format",
                style,
                IMAGE_SYNC_DATABASE_URL=database_url,
                IMAGE_SYNC_LOG_LEVEL="debug",
            )
            for database_url in (url, "postgresql://x:canary@127.0.0.1:1/x?nonsense=1", "mysql://x:canary@y/z")
            for style in ("table", "json")
        ]

    assert [each.code for each in results] == [1] * 6
    assert not any("canary" in each.out + each.err for each in results)
    assert "password authentication failed" in results[1].out


def test_output_of_the_cloud_is_escaped(job: Job, cloud: Simulator) -> None:
    """Control characters from the cloud do not reach the terminal."""
    with cloud:
        cloud.faults.add(effects.status(400, message="\x1b[31mred\r\nfake ok"), times=None)
        code, shown = job.on_terminal("doctor", NO_COLOR="1")
        result = job("doctor", "--format", "json")

    assert code == 1
    assert "\x1b" not in shown
    assert all(json.loads(line)["check"] for line in result.out.splitlines())
