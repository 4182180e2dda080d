"""No secret in anything a command prints, writes, or shows to the process list, whatever goes wrong."""

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
    """A cloud that knows a token, a login and a key pair, each a canary."""
    return FaultySimulator(World(seed=1, size=30), token=TOKEN, login=LOGIN, keys=KEYS)


@pytest.fixture
def job(tmp_path: Path, server: Server, cloud: Simulator) -> Job:
    """The job, with a database that needs a password, telling all it can."""
    url = with_password(server, f"role_{tmp_path.name}"[:60], PASSWORD).format(PASSWORD.replace(" ", "%20"))
    return Job(tmp_path, url, cloud, IMAGE_SYNC_LOG_LEVEL="debug")


def credentials(job: Job, cloud: Simulator) -> dict[str, dict[str, str]]:
    """The settings of each kind of credentials; the token is among those of the job."""
    token = {"IMAGE_SYNC_TOKEN": job.settings.pop("IMAGE_SYNC_TOKEN")}
    login = {"IMAGE_SYNC_IAM_ENDPOINT": cloud.url, "IMAGE_SYNC_USERNAME": LOGIN.user, "IMAGE_SYNC_DOMAIN": LOGIN.domain}
    keys = {"IMAGE_SYNC_ACCESS_KEY": KEYS.access, "IMAGE_SYNC_SECRET_KEY": KEYS.secret}
    return {"token": token, "login": login | {"IMAGE_SYNC_PASSWORD": LOGIN.password}, "keys": keys}


def test_secrets_of_good_runs_are_nowhere(job: Job, cloud: Simulator) -> None:
    """With each kind of credentials, at log level debug: not in the output, the logs, or any table."""
    with cloud:
        kinds = credentials(job, cloud)
        done = [job("run", "--format", "json", **settings) for settings in kinds.values()]
        job.settings |= kinds["token"]
        done += [job(*command) for command in (["status"], ["db", "status"], ["as-of", "now", "--format", "csv"])]

    assert [each.code for each in done] == [0] * 6
    assert_silent(job, done)


@pytest.mark.parametrize("kind", ["token", "login", "keys"])
def test_secrets_of_failed_runs_are_nowhere(job: Job, cloud: Simulator, kind: str) -> None:
    """Refused, cut off, or told back by the cloud itself: with --debug and its traceback too, no secret is shown."""
    with cloud:
        job.settings |= credentials(job, cloud)[kind] | FAST
        echo = f"bad request: X-Auth-Token {TOKEN}, password {LOGIN.password}, key {KEYS.secret}"
        secrets = {"token": TOKEN, "login": LOGIN.password, "keys": KEYS.secret}
        done = []
        for effect in (effects.status(401), effects.status(400, message=echo), breakage.truncate(50)):
            cloud.faults.clear()
            cloud.faults.add(effect, times=None)
            done.append(job("--debug", "run"))
        cloud.faults.clear()

    assert [each.code for each in done] == [1] * 3
    assert not any(secrets[kind] in each.out + each.err for each in done)
    assert secrets[kind] not in str(dump(job.url))


def test_secrets_of_a_refused_database_are_nowhere(job: Job, cloud: Simulator) -> None:
    """No connection, a wrong password, a URL that is none: no part of it is shown, with --debug neither."""
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
        done = [finished(process) for process in processes]

    assert all(each.code in {1, 2} for each in done)
    assert not any("canary" in each.out + each.err for each in done)


def test_process_list_bears_no_secret(job: Job, cloud: Simulator) -> None:
    """While a run is under way, the command lines of all processes of the machine hold none of its secrets."""
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


def assert_silent(job: Job, done: list[Done]) -> None:
    """Assert that no canary is in what was printed, or in any table."""
    for each in done:
        assert not any(canary in each.out + each.err for canary in CANARIES)
    assert not any(canary in str(dump(job.url)) for canary in CANARIES)
