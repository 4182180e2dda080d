"""A command in a process with streams, a locale and a current folder as callers really have them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from builders import image
from cli_tools import Done, Job, ask
from servers import Server
from store_tools import Edge

from sync.simulator import Simulator, World

LOCALES = [
    {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
]
NAME = "Größe 漢 \N{GRINNING FACE}"
LIST = "check --list --format json"  # needs no database


def shell(job: Job, line: str, **settings: str) -> Done:
    """A line of the shell in which ``image-sync`` is the command; its exit code is that of the command."""
    script = f'image-sync() {{ "{sys.executable}" -m sync "$@"; }}; set -o pipefail; image-sync {line}'
    environ = job.environ(**settings)
    done = subprocess.run(["bash", "-c", script], env=environ, cwd=job.folder, capture_output=True, check=False)
    return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job without a database."""
    return Job(tmp_path, "postgresql://nobody@127.0.0.1:1/none")


@pytest.mark.parametrize(
    ("end", "reason"),
    [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor"), ("<&- >&-", "Bad file descriptor")],
)
@pytest.mark.parametrize("command", [LIST, "check --list", "db upgrade --sql", "--help", "run --help"])
def test_output_that_cannot_be_written_is_one_sentence(job: Job, command: str, end: str, reason: str) -> None:
    """A command that only shows something fails if it can't, with one sentence and no traceback."""
    done = shell(job, f"{command} {end}")

    assert done == (1, "", f"image-sync: the output can't be written: {reason}\n")


def test_a_broken_pipe_is_quiet(job: Job) -> None:
    """Whoever reads only the beginning of the output hears no complaint."""
    done = shell(job, "db upgrade --sql | head -1")

    assert (done.out.count("\n"), done.err) == (1, "")


@pytest.mark.parametrize("end", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_standard_error_may_be_closed_or_full(job: Job, end: str) -> None:
    """The output and the exit code are the same whether anybody can read the messages."""
    assert shell(job, f"{LIST} {end}").rows == shell(job, LIST).rows
    assert shell(job, f"{LIST} {end}").code == 0
    assert shell(job, f"check --nonsense {end}").code == 2
    assert shell(job, f"status {end}").code == 1


@pytest.mark.parametrize("end", [">&-", "2>&-", ">/dev/full", "2>/dev/full", "| true", ">&- 2>&- <&-"])
def test_a_run_counts_though_nobody_reads_of_it(tmp_path: Path, server: Server, end: str) -> None:
    """A run takes effect, and exits as it would, though its result can't be written; so does pruning."""
    with Simulator(World(seed=1, size=3)) as cloud:
        job = Job(tmp_path, server.migrated(), cloud)

        done = shell(job, f"run {end}")
        pruned = shell(job, f"prune --keep 30d --yes {end}")

    assert (done.code, pruned.code) == (0, 0)
    assert "Traceback" not in done.err + pruned.err
    assert ask(job.url, "SELECT count(*) FROM inventory.images") == 3
    assert ask(job.url, "SELECT status FROM inventory.runs") == "done"
    if end == ">/dev/full":
        assert "No space left on device" in done.err
        assert "No space left on device" in pruned.err


def test_output_for_programs_does_not_depend_on_the_locale(tmp_path: Path, server: Server) -> None:
    """JSON, CSV, JUnit and reports are in UTF-8 whatever the locale; a table has escapes for what it can't show."""
    with Edge(server, 0) as edge:
        edge.world.put(image("one", name=NAME, protected=False, visibility="public", __imagetype="gold"))
        edge.run()
        job = Job(tmp_path, edge.url)
        for locale in LOCALES:
            as_json = shell(job, "as-of now --format json", **locale)
            as_csv = shell(job, "as-of now --format csv", **locale)
            junit = shell(job, "check --format junit", **locale)
            report = shell(job, "report --from 1970-01-01 --format json", **locale)
            table = shell(job, "as-of now", **locale)

            assert as_json.row["name"] == NAME
            assert next(csv.DictReader(io.StringIO(as_csv.out)))["name"] == NAME
            assert json.loads(report.out)
            assert [done.code for done in (as_json, as_csv, junit, report)] == [0] * 4
            assert NAME in junit.out
            assert (table.code, "Gr" in table.out, "Traceback" in table.err) == (0, True, False)


@pytest.mark.parametrize(
    "command",
    [
        *(LIST, "status", "run", "plan", "report", "doctor", "verify", "prune", "notify --test", "approve 1"),
        "report --output page.html",
    ],
)
def test_the_current_folder_may_be_gone(job: Job, command: str) -> None:
    """A current folder that does not exist any more holds no settings file, and causes no traceback."""
    gone = job.folder / "gone"
    gone.mkdir()
    job.folder = gone
    line = f"--version >/dev/null; rmdir '{gone}'; image-sync {command}"

    done = shell(job, line)

    assert "Traceback" not in done.err
    assert "FileNotFoundError" not in done.err
    assert done.code == (0 if command == LIST else done.code)
    assert done.code in {0, 1, 2}
