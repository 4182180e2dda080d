"""``image-sync doctor`` as a user meets it: one line a check, exit code 0 or 1, nothing written, no secret shown."""

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
    """A small cloud with a token that is a secret."""
    return FaultySimulator(World(seed=1, size=30), token=TOKEN)


@pytest.fixture
def job(tmp_path: Path, target: Target, cloud: Simulator) -> Job:
    """The job, with a database and a cloud."""
    return Job(tmp_path, target.url, cloud)


def worst(done: Done) -> dict[tuple[str, str], str]:
    """What is not ok, by subject and check."""
    return {(row["about"], row["check"]): row["level"] for row in done.rows if row["level"] != "ok"}


def test_all_is_well(job: Job, cloud: Simulator) -> None:
    """Exit code 0; after a run nothing is left to say, and a look changes no row of any table."""
    with cloud:
        job("run")
        before = dump(job.url)
        done = job("doctor", "--format", "json")

    assert (done.code, worst(done)) == (0, {})
    assert {row["about"] for row in done.rows} == {"settings", "database", "default"}
    assert dump(job.url) == before
    assert TOKEN not in done.out + done.err


def test_a_table_for_people(job: Job, cloud: Simulator) -> None:
    """Data on standard output, the sum of it on standard error."""
    with cloud:
        done = job("doctor")

    assert done.code == 0
    assert f"at revision {migrate.head()}" in done.out
    assert "ok" in done.err
    assert len(done.err.splitlines()) == 1


def test_what_is_wrong_decides_the_exit_code(job: Job, cloud: Simulator) -> None:
    """A warning is exit code 0, a wrong one 1; everything else is told all the same."""
    with cloud:
        job("run")
        cloud.faults.add(effects.images("empty"), times=None)
        warned = job("doctor", "--format", "json")
        cloud.faults.clear()
        wrong = job("doctor", "--format", "json", IMAGE_SYNC_TOKEN="stale")

    assert (warned.code, worst(warned)) == (0, {("default", "list"): "warning"})
    assert (wrong.code, worst(wrong)) == (1, {("default", "login"): "wrong", ("default", "list"): "skipped"})
    assert len(wrong.rows) == len(warned.rows)


def test_offline(job: Job, cloud: Simulator) -> None:
    """The cloud hears nothing, the database is looked at."""
    with cloud:
        job("run")
        since = cloud.journal.seq
        done = job("doctor", "--offline", "--format", "json")

        assert cloud.journal.seq == since
    assert done.code == 0
    assert {check for (_, check), level in worst(done).items() if level == "skipped"} == {
        *("proxy", "name", "connection", "TLS", "login", "list", "clock"),
    }


def test_sources_are_told_one_by_one(job: Job, cloud: Simulator) -> None:
    """Each under its name, those asked for only, and one that is broken says nothing of the other."""
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
    assert {about for (about, _), level in worst(both).items() if level == "wrong"} == {"south"}
    assert {row["about"] for row in one.rows} == {"settings", "database", "north"}


def test_settings_that_are_wrong(job: Job, cloud: Simulator) -> None:
    """Each mistake is a line; what can still be looked at, is: the database, if only a source is wrong."""
    with cloud:
        source = job("doctor", "--format", "json", IMAGE_SYNC_TIMEOUT="soon", IMAGE_SYNC_CONCURENCY="4")
        general = job("doctor", "--format", "json", IMAGE_SYNC_LOG_LEVEL="loud")
        none = job("doctor", "--format", "json", IMAGE_SYNC_ENDPOINT="")

    told = [row["found"] for row in source.rows if row["level"] == "wrong"]
    assert (source.code, general.code, none.code) == (1, 1, 1)
    assert [name for name in ("IMAGE_SYNC_TIMEOUT", "did you mean IMAGE_SYNC_CONCURRENCY") if name in str(told)] == [
        "IMAGE_SYNC_TIMEOUT",
        "did you mean IMAGE_SYNC_CONCURRENCY",
    ]
    assert ("database", "schema") in worst(general)
    assert "IMAGE_SYNC_LOG_LEVEL" in str(general.rows)


def test_a_secret_that_everyone_may_read(job: Job, cloud: Simulator) -> None:
    """The file and its mode are told, not what is in it; closed to others it is fine."""
    secret = job.folder / "token"
    secret.write_text(TOKEN)
    del job.settings["IMAGE_SYNC_TOKEN"]
    found = []
    with cloud:
        for mode in (0o644, 0o600):
            secret.chmod(mode)
            found.append(job("doctor", "--format", "json", IMAGE_SYNC_TOKEN_FILE=str(secret)))

    assert [worst(done).get(("settings", "secrets")) for done in found] == ["warning", None]
    assert "mode 0644" in found[0].out
    assert not any(TOKEN in done.out + done.err for done in found)


def test_no_secret_is_shown(job: Job, cloud: Simulator, server: Server) -> None:
    """Whatever is wrong: a refused password, a cloud that repeats the token, a URL that is none."""
    url = with_password(server, "doctor_guest", "the right canary").format("a-wrong-canary")
    with cloud:
        cloud.faults.add(effects.status(400, message=f"bad request: X-Auth-Token {TOKEN}"), times=None)
        done = [
            job("--debug", "doctor", "--format", style, IMAGE_SYNC_DATABASE_URL=given, IMAGE_SYNC_LOG_LEVEL="debug")
            for given in (url, "postgresql://x:canary@127.0.0.1:1/x?nonsense=1", "mysql://x:canary@y/z")
            for style in ("table", "json")
        ]

    assert [each.code for each in done] == [1] * 6
    assert not any("canary" in each.out + each.err for each in done)
    assert "password authentication failed" in done[1].out


def test_lines_are_harmless(job: Job, cloud: Simulator) -> None:
    """What a cloud says can't steer the terminal."""
    with cloud:
        cloud.faults.add(effects.status(400, message="\x1b[31mred\r\nfake ok"), times=None)
        code, shown = job.on_terminal("doctor", NO_COLOR="1")
        told = job("doctor", "--format", "json")

    assert code == 1
    assert "\x1b" not in shown
    assert all(json.loads(line)["check"] for line in told.out.splitlines())
