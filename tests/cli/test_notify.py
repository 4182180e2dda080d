"""Notices as a user meets them: real runs, a real receiver, real kills, and no secret anywhere."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import breakage
import effects
import pytest
from cli_tools import FAST, Job, ask, column, dump, finished, process_list, until
from fault_rules import FaultySimulator
from http_server import reply
from receiver import SECRET, Receiver, assert_signed

from sync.errors import SettingsError
from sync.settings import load
from sync.settings.model import NOTICES
from sync.simulator import Simulator, World
from sync.store.connection import Target

STATUSES = "SELECT status FROM inventory.runs ORDER BY run"
WRONG = {"IMAGE_SYNC_TOKEN": "stale-token", **FAST}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes all."""
    with Receiver() as made:
        yield made


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    """A small cloud."""
    with FaultySimulator(World(seed=1, size=60)) as simulator:
        yield simulator


@pytest.fixture
def job(tmp_path: Path, target: Target, cloud: Simulator, receiver: Receiver) -> Job:
    """The job, with a database, a cloud and a receiver."""
    given = {"IMAGE_SYNC_NOTICE_URL": receiver.address, "IMAGE_SYNC_NOTICE_SECRET": SECRET}
    return Job(tmp_path, target.url, cloud, **given)


def test_a_run_tells_what_it_brought_about(job: Job, cloud: Simulator, receiver: Receiver) -> None:
    """Signed, by the schema, once; a run without anything to tell sends nothing."""
    job("run")
    quiet = len(receiver.asked)
    cloud.world.delete(30)
    done = job("run", "--format", "json")
    again = job("run")

    assert (quiet, done.code, again.code) == (0, 4, 4)
    (told,) = receiver.notices
    assert (told["kind"], told["source"], told["run"]) == ("held", "default", done.row["run"])
    assert told["numbers"] == {"held": 30, "waiting": 30}
    assert_signed(receiver.asked)


def test_failed_runs_of_single_commands_are_told_once(job: Job, receiver: Receiver) -> None:
    """Each run is a process of its own, as from cron: what was told before follows from the database."""
    for settings in (*[WRONG] * 3, {}):
        job("run", IMAGE_SYNC_NOTIFY_AFTER_FAILURES="2", **settings)

    assert [(told["kind"], told["run"]) for told in receiver.notices] == [("failures", 2), ("failures_over", 4)]
    assert "renew the token" in receiver.notices[0]["sentence"]


def test_killed_run_is_told_by_the_next(job: Job, cloud: Simulator, receiver: Receiver) -> None:
    """By kill -9: it counts as failed, and the run that finds it so tells."""
    cloud.faults.add(breakage.black_hole(), times=None)
    running = job.start("run")
    until(cloud.journal.answers)
    running.kill()
    finished(running)
    cloud.faults.clear()
    done = job("run", "--format", "json", IMAGE_SYNC_NOTIFY_AFTER_FAILURES="1")

    assert column(job.url, STATUSES) == ["abandoned", "done"]
    (told,) = receiver.notices
    assert (told["kind"], told["run"], told["numbers"]) == ("failures_over", done.row["run"], {"failed": 1})


def test_of_two_runs_at_once_one_tells(job: Job, cloud: Simulator, receiver: Receiver) -> None:
    """Both see the same; the one that wrote it tells, the other has nothing to tell."""
    job("run")
    cloud.world.delete(30)
    cloud.faults.before_answer = lambda _: until(lambda: len(column(job.url, STATUSES)) == 3)
    both = [job.start("run") for _ in range(2)]
    codes = sorted(finished(process).code for process in both)

    assert codes == [3, 4]
    assert [told["kind"] for told in receiver.notices] == ["held"]


def test_receiver_that_fails_changes_nothing_of_a_run(job: Job, cloud: Simulator) -> None:
    """Exit code, output and record are as without it; one warning says which runs were not told, without the address."""
    with Receiver(*[reply(status=500)] * 99) as away:
        job.settings["IMAGE_SYNC_NOTICE_URL"] = away.address
        job("run")
        cloud.world.delete(30)
        done = job("run", "--format", "json")
        tries = len(away.asked)

    assert (done.code, done.row["held"]) == (4, 30)
    assert 2 <= tries <= 6
    lines = list(map(json.loads, json_lines(done.err)))
    (warned,) = [line for line in lines if line["logger"] == "sync.notices.outbox"]
    assert (warned["event"], warned["runs"]) == ("notices not sent", [2])
    assert "canary" not in done.err
    assert "127.0.0.1" not in str(warned)
    assert column(job.url, STATUSES) == ["done", "withheld"]


def test_notices_of_a_run_can_be_sent_again(job: Job, cloud: Simulator, receiver: Receiver) -> None:
    """With the same id; or only shown, or there is nothing, or no such run."""
    job("run")
    cloud.world.delete(30)
    job("run")
    again, shown, nothing = job("notify", "2"), job("notify", "2", "--print"), job("notify", "1")
    nobody, both, neither = job("notify", "77"), job("notify", "2", "--test"), job("notify")

    assert [each.code for each in (again, shown, nothing, nobody, both, neither)] == [0, 0, 0, 2, 2, 2]
    assert len({told["id"] for told in receiver.notices}) == 1
    assert len(receiver.asked) == 2
    assert shown.row == receiver.notices[0]
    assert "run 1 has no notices" in nothing.err
    assert (again.out, nothing.out) == ("", "")


def test_a_test_tells_whether_notices_arrive(job: Job, receiver: Receiver) -> None:
    """Exit code 0 if the receiver took it, 1 if not, 2 where there is no receiver; no database is needed."""
    del job.settings["IMAGE_SYNC_DATABASE_URL"]
    arrived, chat = job("notify", "--test"), job("notify", "--test", IMAGE_SYNC_NOTICE_STYLE="slack")
    with Receiver(reply(status=404)) as wrong:
        refused = job("notify", "--test", IMAGE_SYNC_NOTICE_URL=wrong.address)
    away = job("notify", "--test", IMAGE_SYNC_NOTICE_URL="http://127.0.0.1:1/")
    del job.settings["IMAGE_SYNC_NOTICE_URL"]
    missing = job("notify", "--test")

    assert [each.code for each in (arrived, chat, refused, away, missing)] == [0, 0, 1, 1, 2]
    assert json.loads(receiver.asked[0].body)["kind"] == "test"
    assert json.loads(receiver.asked[1].body)["text"].startswith("This is a test")
    assert "404" in refused.err
    assert "IMAGE_SYNC_NOTICE_URL" in missing.err


def test_schedule_tells_while_it_runs_and_ends_at_once(job: Job, cloud: Simulator, receiver: Receiver) -> None:
    """What a run brought about is told before the next; a receiver that hangs does not keep SIGTERM waiting."""
    job("run")
    cloud.world.delete(30)
    running = job.start("schedule", "--every", "1h")
    until(lambda: receiver.kinds == ["held"])
    running.send_signal(signal.SIGTERM)
    done = finished(running)
    hanging = Receiver(*[lambda connection, _: connection.recv(1)] * 9)
    cloud.world.delete(1)
    with hanging:
        slow = job.start("schedule", "--every", "1h", IMAGE_SYNC_NOTICE_URL=hanging.address)
        until(lambda: hanging.asked)
        slow.send_signal(signal.SIGTERM)
        ended = finished(slow)

    assert (done.code, ended.code) == (0, 0)
    assert "notices not sent" not in done.err
    assert "notices not sent" in ended.err


def test_secrets_of_notices_are_nowhere(job: Job, cloud: Simulator) -> None:
    """Neither address nor key: in no output at level debug, no table, and no process list, whatever goes wrong."""
    job.settings |= {"IMAGE_SYNC_LOG_LEVEL": "debug", "IMAGE_SYNC_NOTIFY_AFTER_FAILURES": "1"}
    answers = [reply(status=302, headers={"Location": "http://127.0.0.1:1/canary"}), reply(b"canary", status=400)]
    with Receiver(*answers, *[lambda connection, _: connection.recv(1)] * 9) as odd:
        job.settings["IMAGE_SYNC_NOTICE_URL"] = odd.address
        done = [job("--debug", "run", **WRONG), job("--debug", "notify", "--test"), job("status")]
        running = job.start("--debug", "notify", "--test")
        until(lambda: len(odd.asked) == 3)
        seen = process_list()
        done.append(finished(running))
    done += [
        job("run", IMAGE_SYNC_NOTICE_URL="http://canary.example.org/canary"),
        job("run", IMAGE_SYNC_NOTICE_SECRET="whsec_canary"),
    ]

    assert [each.code for each in done] == [1, 1, 0, 1, 2, 2]
    assert "-m sync --debug notify" in seen
    key = SECRET.partition("_")[2]
    for text in (seen, str(dump(job.url)), *(each.out + each.err for each in done)):
        assert "canary" not in text
        assert key not in text


def test_hostile_names_do_not_reach_a_chat(tmp_path: Path, target: Target, receiver: Receiver) -> None:
    """From the cloud through the database to the message: an image's name mentions nobody."""
    world = World(seed=1, size=1)
    (image,) = world.truth().values()
    for number in range(20):
        world.put(image | {"id": f"id-{number}", "name": "<!channel> @here"})
    with FaultySimulator(world) as cloud:
        job = Job(tmp_path, target.url, cloud, IMAGE_SYNC_NOTICE_URL=receiver.address, IMAGE_SYNC_NOTICE_STYLE="slack")
        job("run")
        cloud.faults.add(effects.images("empty"), times=None)
        job("run")

    (text,) = [json.loads(asked.body)["text"] for asked in receiver.asked]
    assert "&lt;!channel&gt; @\u200bhere" in text
    assert "<" not in text


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NOTICE_URL", "http://hooks.example.org/x", "notice_allow_http"),
        ("NOTICE_URL", "ftp://hooks.example.org/x", "takes the https:// address"),
        ("NOTICE_URL", "https:///x", "takes the https:// address"),
        ("NOTICE_URL", "https://hooks.example.org/x#y", "takes the https:// address"),
        ("NOTICE_URL", "hooks.example.org", "takes the https:// address"),
        ("NOTICE_SECRET", "a-plain-word", "openssl rand -base64 32"),
        ("NOTICE_SECRET", "whsec_c2hvcnQ=", "24 to 64 random bytes"),
        ("NOTICE_SECRET", "whsec_!!!", "24 to 64 random bytes"),
        ("NOTICE_STYLE", "teams", "json, slack"),
        ("NOTICE_ON", "held,everything", "some of held, failures"),
        ("NOTIFY_AFTER_FAILURES", "0", "1 to 100"),
    ],
)
def test_mistakes_in_the_settings(name: str, value: str, said: str) -> None:
    """Each is named with what would be right; of addresses and keys nothing is shown."""
    given = {"IMAGE_SYNC_NOTICE_URL": "https://hooks.example.org/a", f"IMAGE_SYNC_{name}": value}
    with pytest.raises(SettingsError) as caught:
        load(given, filters={}, fields=(), with_sources=False)

    (mistake,) = caught.value.mistakes
    assert mistake.startswith(f"IMAGE_SYNC_{name} (environment): ")
    assert said in mistake
    assert name not in {"NOTICE_URL", "NOTICE_SECRET"} or value not in mistake


def test_settings_of_notices() -> None:
    """All but the summary of a day are told unless it is said; what has no effect, or is not safe, is warned of."""

    def read(**given: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        environ = {f"IMAGE_SYNC_NOTICE_{name}": value for name, value in given.items()}
        settings = load(environ, filters={}, fields=(), with_sources=False)
        return settings.notice_on, settings.warnings

    plain = "http://hooks.example.org/a"
    assert read(URL="https://a:b@hooks.example.org:8443/x?y=z") == (NOTICES[:-1], ())
    assert read(URL="http://127.0.0.1:9/x", ON="daily, held") == (("daily", "held"), ())
    assert read(URL="http://[::1]:9/x", ON="") == ((), ())
    assert "plain http" in read(URL=plain, ALLOW_HTTP="true")[1][0]
    assert "notice_secret, notice_style have no effect" in read(SECRET=SECRET, STYLE="json")[1][0]


def test_all_of_an_address_is_secret() -> None:
    """Also its parts, as a library might show them: path, long words, user and password; the key with and without its mark."""
    given = {
        "IMAGE_SYNC_NOTICE_URL": "https://user:pass@hooks.example.org/services/T000/long-enough-token?k=v",
        "IMAGE_SYNC_NOTICE_SECRET": SECRET,
    }
    settings = load(given, filters={}, fields=(), with_sources=False)

    assert set(settings.secrets()) == {
        given["IMAGE_SYNC_NOTICE_URL"],
        "/services/T000/long-enough-token?k=v",
        "long-enough-token",
        "user:pass",
        "pass",
        SECRET,
        SECRET.removeprefix("whsec_"),
    }
    assert "long-enough-token" not in repr(settings)


def test_no_address_no_cost(job: Job) -> None:
    """Without an address nothing of notices is imported, and the database is asked nothing more."""
    del job.settings["IMAGE_SYNC_NOTICE_URL"], job.settings["IMAGE_SYNC_NOTICE_SECRET"]
    done = job("run", PYTHONPROFILEIMPORTTIME="1")

    assert done.code == 0
    assert "sync.store.runs.transaction" in done.err
    assert "sync.notices" not in done.err
    assert ask(job.url, "SELECT count(*) FROM inventory.runs") == 1


def json_lines(text: str) -> list[str]:
    """The lines that are JSON."""
    return [line for line in text.splitlines() if line.startswith("{")]
