"""No command shows a secret in its output, in a table or in the process list, whatever goes wrong."""

from __future__ import annotations

from pathlib import Path

import breakage
import effects
import pytest
from cli_tools import FAST, Done, Job, dump, finished, process_list, until, with_password
from fault_rules import FaultySimulator
from servers import Server

from sync.simulator import Keys, Login, Simulator, World

TOKEN = "canary-of-the-token-0123456789"
PASSWORD = "canary of the database"
LOGIN = Login("reader", "canary of the login", "account")
KEYS = Keys("CANARYACCESSKEY", "canary-of-the-secret-key")
CANARIES = ("canary", "CANARY")


@pytest.fixture
def cloud() -> Simulator:
    """A cloud that knows a token, a login and a key pair, each with a canary."""
    return FaultySimulator(World(seed=1, size=30), token=TOKEN, login=LOGIN, keys=KEYS)


@pytest.fixture
def job(tmp_path: Path, server: Server, cloud: Simulator) -> Job:
    """A job with a database that needs a password, at log level debug."""
    url = with_password(server, f"role_{tmp_path.name}"[:60], PASSWORD).format(PASSWORD.replace(" ", "%20"))
    return Job(tmp_path, url, cloud, IMAGE_SYNC_LOG_LEVEL="debug")


def credentials(job: Job, cloud: Simulator) -> dict[str, dict[str, str]]:
    """The settings of each kind of credentials; the token is taken from the job."""
    token = {"IMAGE_SYNC_TOKEN": job.settings.pop("IMAGE_SYNC_TOKEN")}
    login = {"IMAGE_SYNC_IAM_ENDPOINT": cloud.url, "IMAGE_SYNC_USERNAME": LOGIN.user, "IMAGE_SYNC_DOMAIN": LOGIN.domain}
    keys = {"IMAGE_SYNC_ACCESS_KEY": KEYS.access, "IMAGE_SYNC_SECRET_KEY": KEYS.secret}
    return {"token": token, "login": login | {"IMAGE_SYNC_PASSWORD": LOGIN.password}, "keys": keys}


def test_good_runs_show_no_secret(job: Job, cloud: Simulator) -> None:
    """Good runs show no secret in output, logs or tables, with each kind of credentials."""
    with cloud:
        kinds = credentials(job, cloud)
        results = [job("run", "--format", "json", **settings) for settings in kinds.values()]
        job.settings |= kinds["token"]
        results += [job(*command) for command in (["status"], ["db", "status"], ["as-of", "now", "--format", "csv"])]

    assert [each.code for each in results] == [0] * 6
    assert_silent(job, results)


@pytest.mark.parametrize("kind", ["token", "login", "keys"])
def test_failed_runs_show_no_secret(job: Job, cloud: Simulator, kind: str) -> None:
    """Refused, cut off or echoed credentials are not shown, even with a traceback."""
    with cloud:
        job.settings |= credentials(job, cloud)[kind] | FAST
        echo = f"bad request: X-Auth-Token {TOKEN}, password {LOGIN.password}, key {KEYS.secret}"
        secrets = {"token": TOKEN, "login": LOGIN.password, "keys": KEYS.secret}
        results = []
        for effect in (effects.status(401), effects.status(400, message=echo), breakage.truncate(50)):
            cloud.faults.clear()
            cloud.faults.add(effect, times=None)
            results.append(job("--debug", "run"))
        cloud.faults.clear()

    assert [each.code for each in results] == [1] * 3
    assert not any(secrets[kind] in each.out + each.err for each in results)
    assert secrets[kind] not in str(dump(job.url))


def test_a_refused_database_shows_no_secret(job: Job, cloud: Simulator) -> None:
    """No part of an unreachable, refused or invalid database URL is shown, even with --debug."""
    with cloud:
        urls = [
            "postgresql://role:canary%20x@127.0.0.1:1/inventory",
            job.url.replace("canary", "other-canary"),
            "postgresql://role@127.0.0.1:1/inventory?password=canary&nonsense=1",
            "postgresql://role:canary@",
            "postgresql://role:cana#ry@host/canary",
        ]
        processes = [job.start("--debug", "run", IMAGE_SYNC_DATABASE_URL=url) for url in urls]
        processes.append(job.start("--debug", "status", IMAGE_SYNC_DATABASE_URL=urls[0]))
        results = [finished(process) for process in processes]

    assert all(each.code in {1, 2} for each in results)
    assert not any("canary" in each.out + each.err for each in results)


def test_the_process_list_shows_no_secret(job: Job, cloud: Simulator) -> None:
    """While a run is under way, no command line on the machine contains a secret."""
    with cloud:
        cloud.faults.add(breakage.black_hole(), times=None)
        running = job.start("run")
        until(cloud.journal.answers)
        seen = process_list()
        running.terminate()
        done = finished(running)

    assert "-m sync run" in seen
    assert not any(canary in seen for canary in CANARIES)
    assert_silent(job, [done])


def assert_silent(job: Job, results: list[Done]) -> None:
    """Assert that no canary is in the output or in any table."""
    for result in results:
        assert not any(canary in result.out + result.err for canary in CANARIES)
    assert not any(canary in str(dump(job.url)) for canary in CANARIES)
