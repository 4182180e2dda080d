"""``image-sync run`` on the command line: its output, what it writes, and its exit codes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from cli_tools import FAST, Job, ask, column, dump, served, stored, without
from servers import Server

from sync.cli.run import worst
from sync.simulator import Simulator, World
from sync.store.connection import Target

COLUMNS = {
    *("run", "source", "status", "listed", "total", "created", "updated", "restored", "deleted", "held", "unchanged"),
    *("quarantined", "requests", "effective_at"),
}


@pytest.fixture
def job(tmp_path: Path, target: Target, cloud: Simulator) -> Job:
    """A job with a database and a cloud."""
    return Job(tmp_path, target.url, cloud)


def test_first_run_makes_the_tables_equal_the_cloud(job: Job, cloud: Simulator) -> None:
    """The first run stores exactly the cloud's images, prints one JSON object, and exits with 0."""
    done = job("run", "--format", "json")

    assert done.code == 0
    assert done.row.keys() >= COLUMNS
    assert (done.row["status"], done.row["listed"], done.row["total"], done.row["created"]) == (
        "done",
        1200,
        1200,
        1200,
    )
    assert stored(job.url) == served(cloud.world)
    assert done.row["effective_at"] == ask(
        job.url,
        "SELECT to_char(effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM inventory.runs",
    )


def test_second_run_rewrites_no_row(job: Job) -> None:
    """Without changes all images are unchanged, and only the rows of the run and its source are written."""
    job("run")
    before = dump(job.url)
    done = job("run", "--format", "json")

    assert (done.row["unchanged"], done.row["created"], done.row["updated"]) == (1200, 0, 0)
    assert without(dump(job.url), "runs", "runs_run_seq", "sources") == without(
        before, "runs", "runs_run_seq", "sources"
    )


def test_standard_output_is_only_data(job: Job) -> None:
    """In each format standard output is only data; everything else goes to standard error, without colours."""
    results = {style: job("run", "--format", style) for style in ("json", "csv", "table")}
    (line,) = csv.DictReader(io.StringIO(results["csv"].out))
    row = results["json"].row

    assert list(line) == list(row)
    assert (line["run"], line["listed"], line["unchanged"]) == ("2", "1200", "1200")
    assert {"source", "listed", "default", "done", "1200"} <= set(results["table"].out.split())
    for each in results.values():
        assert "run ended" in each.err
        assert "run ended" not in each.out
        assert "\x1b" not in each.out + each.err


def test_run_makes_the_schema_in_an_empty_database(tmp_path: Path, server: Server, cloud: Simulator) -> None:
    """The first run on an empty database makes the schema."""
    job = Job(tmp_path, server.empty(), cloud)
    done = job("run", "--format", "json")

    assert (done.code, done.row["created"]) == (0, 1200)
    assert job("db", "status").code == 0


@pytest.mark.parametrize(
    ("revision", "advice"), [("0003", "unreleased version of this program"), ("9999", "made by a newer one")]
)
def test_schema_of_another_version_is_refused(job: Job, revision: str, advice: str) -> None:
    """With an unreleased or newer schema every command exits with 2, says what to do, and writes nothing."""
    ask(job.url, "UPDATE inventory.alembic_version SET version_num = %s RETURNING 1", revision)
    before = dump(job.url)
    results = [job(command) for command in ("run", "status")]

    assert [each.code for each in results] == [2, 2]
    assert all(advice in each.err for each in results)
    assert dump(job.url) == before


def test_an_unproven_list_exits_with_4(tmp_path: Path, target: Target) -> None:
    """If the list cannot be proven, its images are stored, none is deleted, and the exit code is 4."""
    world = World(seed=1, size=1)
    (image,) = world.truth().values()
    for number in range(700):
        world.put(image | {"id": f"tied-{number}"})
    with Simulator(world, unstable_ties=True) as cloud:
        done = Job(tmp_path, target.url, cloud)("run", "--format", "json")

    assert (done.code, done.row["status"], done.row["proven"]) == (4, "withheld", False)
    assert done.row["deleted"] == 0
    assert "701 images share" in done.row["reason"]
    assert "deletions were withheld" in done.err


def test_a_failing_source_does_not_stop_the_others(job: Job, cloud: Simulator, tmp_path: Path) -> None:
    """If one source fails, the others are still synced, and the exit code is the worst of them."""
    good = f'endpoint = "{cloud.url}"\ntoken = "{cloud.token}"'
    bad = f'endpoint = "{cloud.url}"\ntoken = "nobody-knows-it"'
    tables = {"first": good, "broken": bad, "last": good}
    (tmp_path / "image-sync.toml").write_text(
        "\n".join(f'[[sources]]\nname = "{name}"\n{text}' for name, text in tables.items())
    )
    del job.settings["IMAGE_SYNC_ENDPOINT"], job.settings["IMAGE_SYNC_TOKEN"]
    done = job("run", "--format", "json")
    only = job("run", "--source", "last", "--format", "json")

    assert done.code == 1
    assert [(row["source"], row["status"]) for row in done.rows] == [
        ("first", "done"),
        ("broken", "failed"),
        ("last", "done"),
    ]
    assert stored(job.url, "first") == stored(job.url, "last") == served(cloud.world)
    assert (only.code, only.row["source"], only.row["unchanged"]) == (0, "last", 1200)


def test_the_worst_exit_code_wins() -> None:
    """From worst to best: failed, invalid settings, withheld, superseded."""
    codes = [worst([]), worst([0, 3]), worst([3, 4, 0]), worst([4, 2]), worst([2, 1, 4, 3, 0])]

    assert codes == [0, 3, 4, 2, 1]


def test_changed_filter_is_refused_until_accepted(job: Job, cloud: Simulator) -> None:
    """With a new filter a run exits with 2 and says what to do, until the filter is accepted."""
    job("run")
    before = dump(job.url)
    filtered = {"IMAGE_SYNC_FILTER": "visibility=private"}
    plan, refused = job("plan", **filtered), job("run", **filtered)
    after = dump(job.url)
    accepted = job("sources", "accept-filter", "default", **filtered)
    done = job("run", "--format", "json", **filtered)

    assert (plan.code, refused.code, accepted.code) == (2, 2, 0)
    assert "image-sync sources accept-filter default" in plan.err
    assert "image-sync sources accept-filter default" in refused.err
    assert without(after, "runs", "runs_run_seq") == without(before, "runs", "runs_run_seq")
    assert column(job.url, "SELECT status FROM inventory.runs ORDER BY run") == ["done", "failed", done.row["status"]]
    private = sum(image["visibility"] == "private" for image in cloud.world.truth().values())
    assert (done.row["total"], done.row["deleted"]) == (private, 0)


def test_no_color_is_respected(job: Job) -> None:
    """A terminal gets bold headers and progress; NO_COLOR turns them off."""
    job("run")
    code, plain = job.on_terminal("status", NO_COLOR="1")
    _, rich = job.on_terminal("status")
    _, run = job.on_terminal("run")

    assert code == 0
    assert "default" in plain
    assert "\x1b" not in plain
    assert "\x1b[1m" in rich
    assert "reading default" in run


def test_the_log_level_is_respected(job: Job) -> None:
    """At level error a good run logs nothing, and a failing one says why."""
    quiet = job("run", IMAGE_SYNC_LOG_LEVEL="error")
    failed = job("run", IMAGE_SYNC_LOG_LEVEL="error", IMAGE_SYNC_TOKEN="stale", **FAST)

    assert quiet.err == ""
    assert "renew the token" in failed.err
