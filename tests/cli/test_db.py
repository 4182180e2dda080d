"""``image-sync db``: the schema, its SQL for review, and a database shell that exposes no password."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cli_tools import Job, ask, finished, process_list, until, with_password
from servers import Server, newest

pytest_plugins = ["embedded_fixtures"]

PASSWORD = "canary of psql"


@pytest.fixture
def job(tmp_path: Path, server: Server) -> Job:
    """A job with an empty database and PostgreSQL's client on its path."""
    job = Job(tmp_path, server.empty())
    job.settings["PATH"] = f"{newest()}:{job.environ()['PATH']}"
    return job


def test_upgrade_makes_the_schema_that_status_wants(job: Job) -> None:
    """`db status` refuses an empty database, `db upgrade` makes the schema, and running it again does nothing."""
    before, upgraded, again, after = (job("db", verb) for verb in ("status", "upgrade", "upgrade", "status"))

    assert [before.code, upgraded.code, again.code, after.code] == [2, 0, 0, 0]
    assert "image-sync db upgrade" in before.err
    assert "as this program needs" in after.err
    assert upgraded.out == again.out == after.out == ""


def test_sql_for_review_makes_the_same_schema(job: Job) -> None:
    """The printed SQL, run with psql, makes a complete schema; printing it needs no database."""
    shown = Job(job.folder)("db", "upgrade", "--sql")
    subprocess.run(
        ["psql", "-q", "-v", "ON_ERROR_STOP=1", job.url], input=shown.out, text=True, check=True, env=job.environ()
    )

    assert shown.code == 0
    assert job("db", "status").code == 0


@pytest.mark.parametrize("form", ["before the host", "in the query", "connection string"])
def test_psql_keeps_the_password_out_of_the_process_list(job: Job, server: Server, form: str) -> None:
    """The psql client logs in with the password of the URL, and no process has it in its arguments."""
    role = f"shell_{form.split(maxsplit=1)[0]}"
    url = with_password(server, role, PASSWORD).format(PASSWORD.replace(" ", "%20"))
    if form == "in the query":
        url = url.replace(f":{PASSWORD.replace(' ', '%20')}@", "@") + f"?password={PASSWORD.replace(' ', '%20')}"
    if form == "connection string":
        parts = urlsplit(url)
        url = f"host={parts.hostname},{parts.hostname} port=1,{parts.port} user={role} dbname={parts.path[1:]}"
        url += f" password = '{PASSWORD}' target_session_attrs=read-write"
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND state = 'active'"
    running = job.start("db", "psql", "-At", "-c", "SELECT pg_sleep(600)", IMAGE_SYNC_DATABASE_URL=url)
    until(lambda: ask(job.url, asleep, role))
    seen = process_list()
    running.send_signal(signal.SIGINT)
    cancelled = finished(running)
    done = job("db", "psql", "-At", "-c", "SELECT current_user", IMAGE_SYNC_DATABASE_URL=url)

    assert "pg_sleep(600)" in seen
    assert not any(secret in seen for secret in (PASSWORD, PASSWORD.replace(" ", "%20")))
    assert (cancelled.code, "canceling statement due to user request" in cancelled.err) == (1, True)
    assert (done.code, done.out) == (0, f"{role}\n")


def test_psql_returns_its_own_exit_code(job: Job) -> None:
    """The output and exit code of psql are passed on; without psql the message says what to install."""
    wrong = job("db", "psql", "-v", "ON_ERROR_STOP=1", "-c", "SELECT nothing_like_it")
    missing = job("db", "psql", PATH="/nonexistent")

    assert wrong.code == 1
    assert "nothing_like_it" in wrong.err
    assert (missing.code, missing.out) == (2, "")
    assert "install PostgreSQL's client" in missing.err


def test_psql_of_the_job_s_own_database(tmp_path: Path, folder: Path) -> None:
    """Without a URL, `db psql` runs the bundled psql on the job's own database."""
    done = Job(tmp_path, IMAGE_SYNC_DATA_FOLDER=str(folder))("db", "psql", "-At", "-c", "SELECT current_database()")

    assert (done.code, done.out) == (0, "image_sync\n"), done.err
