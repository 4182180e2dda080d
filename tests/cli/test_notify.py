"""Notices end to end: real runs, a real receiver, real kills, and no secret anywhere."""

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
from settings_tools import SUPPORT

from sync.errors import SettingsError
from sync.settings import load
from sync.settings.model import NOTICES
from sync.simulator import Simulator, World
from sync.store.connection import Target

STATUSES = "SELECT status FROM inventory.runs ORDER BY run"
WRONG = {"IMAGE_SYNC_TOKEN": "stale-token", **FAST}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that accepts everything."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    """A small cloud."""
    with FaultySimulator(World(seed=1, size=60)) as simulator:
        yield simulator


@pytest.fixture
def job(tmp_path: Path, target: Target, cloud: Simulator, receiver: Receiver) -> Job:
    """A job with a database, a cloud and a receiver."""
    settings = {"IMAGE_SYNC_NOTICE_URL": receiver.address, "IMAGE_SYNC_NOTICE_SECRET": SECRET}
    return Job(tmp_path, target.url, cloud, **settings)


def test_a_run_sends_its_notices_once(job: Job, cloud: Simulator, receiver: Receiver) -> None:
    """A run sends one signed notice for what it did, and none if there is nothing to report."""
    job("run")
    quiet = len(receiver.asked)
    cloud.world.delete(30)
    done = job("run", "--format", "json")
    again = job("run")

    assert (quiet, done.code, again.code) == (0, 4, 4)
    (notice,) = receiver.notices
    assert (notice["kind"], notice["source"], notice["run"]) == ("held", "default", done.row["run"])
    assert notice["numbers"] == {"held": 30, "waiting": 30}
    assert_signed(receiver.asked)


def test_failures_of_separate_commands_are_reported_once(job: Job, receiver: Receiver) -> None:
    """Separate processes, as under cron, know from the database what was reported before."""
    for settings in (*[WRONG] * 3, {}):
        job("run", IMAGE_SYNC_NOTIFY_AFTER_FAILURES="2", **settings)

    assert [(notice["kind"], notice["run"]) for notice in receiver.notices] == [("failures", 2), ("failures_over", 4)]
    assert "renew the token" in receiver.notices[0]["sentence"]


def test_the_next_run_reports_a_killed_run(job: Job, cloud: Simulator, receiver: Receiver) -> None:
    """A run ended by kill -9 counts as failed, and the next run reports it."""
    cloud.faults.add(breakage.black_hole(), times=None)
    running = job.start("run")
    until(cloud.journal.answers)
    running.kill()
    finished(running)
    cloud.faults.clear()
    done = job("run", "--format", "json", IMAGE_SYNC_NOTIFY_AFTER_FAILURES="1")

    assert column(job.url, STATUSES) == ["abandoned", "done"]
    (notice,) = receiver.notices
    assert (notice["kind"], notice["run"], notice["numbers"]) == ("failures_over", done.row["run"], {"failed": 1})


def test_one_of_two_concurrent_runs_sends_the_notice(job: Job, cloud: Simulator, receiver: Receiver) -> None:
    """Of two concurrent runs only the one that committed sends a notice."""
    job("run")
    cloud.world.delete(30)
    cloud.faults.before_answer = lambda _: until(lambda: len(column(job.url, STATUSES)) == 3)
    both = [job.start("run") for _ in range(2)]
    codes = sorted(finished(process).code for process in both)

    assert codes == [3, 4]
    assert [notice["kind"] for notice in receiver.notices] == ["held"]


def test_a_failing_receiver_does_not_affect_the_run(job: Job, cloud: Simulator) -> None:
    """If the receiver fails, the run is the same, and one warning names the runs but not the address."""
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
    """`notify` sends a run's notices again with the same id, prints them, or says that there are none."""
    job("run")
    cloud.world.delete(30)
    job("run")
    again, shown, nothing = job("notify", "2"), job("notify", "2", "--print"), job("notify", "1")
    nobody, both, neither = job("notify", "77"), job("notify", "2", "--test"), job("notify")

    assert [each.code for each in (again, shown, nothing, nobody, both, neither)] == [0, 0, 0, 2, 2, 2]
    assert len({notice["id"] for notice in receiver.notices}) == 1
    assert len(receiver.asked) == 2
    assert shown.row == receiver.notices[0]
    assert "run 1 has no notices" in nothing.err
    assert (again.out, nothing.out) == ("", "")


def test_notify_test_checks_the_receiver(job: Job, receiver: Receiver) -> None:
    """`notify --test` exits with 0 if the receiver accepted, 1 if not, and 2 without one; it needs no database."""
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


def test_schedule_sends_notices_between_runs(job: Job, cloud: Simulator, receiver: Receiver) -> None:
    """Notices are sent while the scheduler runs, and a hanging receiver does not delay its end."""
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


def test_secrets_of_notices_are_never_shown(job: Job, cloud: Simulator) -> None:
    """Neither address nor key is in any output, table or process list, whatever goes wrong."""
    job.settings |= {"IMAGE_SYNC_LOG_LEVEL": "debug", "IMAGE_SYNC_NOTIFY_AFTER_FAILURES": "1"}
    answers = [reply(status=302, headers={"Location": "http://127.0.0.1:1/canary"}), reply(b"canary", status=400)]
    with Receiver(*answers, *[lambda connection, _: connection.recv(1)] * 9) as odd:
        job.settings["IMAGE_SYNC_NOTICE_URL"] = odd.address
        results = [job("--debug", "run", **WRONG), job("--debug", "notify", "--test"), job("status")]
        running = job.start("--debug", "notify", "--test")
        until(lambda: len(odd.asked) == 3)
        seen = process_list()
        results.append(finished(running))
    results += [
        job("run", IMAGE_SYNC_NOTICE_URL="http://canary.example.org/canary"),
        job("run", IMAGE_SYNC_NOTICE_SECRET="whsec_canary"),
    ]

    assert [each.code for each in results] == [1, 1, 0, 1, 2, 2]
    assert "-m sync --debug notify" in seen
    key = SECRET.partition("_")[2]
    for text in (seen, str(dump(job.url)), *(each.out + each.err for each in results)):
        assert "canary" not in text
        assert key not in text


def test_image_names_mention_nobody_in_a_chat(tmp_path: Path, target: Target, receiver: Receiver) -> None:
    """An image name with chat mentions is escaped in the message."""
    world = World(seed=1, size=1)
    (image,) = world.truth().values()
    for number in range(20):
        world.put(image | {"id": f"id-{number}", "name": "<!channel> @here"})
    with FaultySimulator(world) as cloud:
        job = Job(tmp_path, target.url, cloud, IMAGE_SYNC_NOTICE_URL=receiver.address, IMAGE_SYNC_NOTICE_STYLE="slack")
        job("run")
        cloud.faults.add(effects.images("empty"), times=None)
        job("run")

    (text,) = [json.loads(request.body)["text"] for request in receiver.asked]
    assert "&lt;!channel&gt; @\u200bhere" in text
    assert "<" not in text


@pytest.mark.parametrize(
    ("name", "value", "message"),
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
def test_invalid_notice_settings(name: str, value: str, message: str) -> None:
    """Each invalid setting is named with what is allowed, and no address or key is shown."""
    environ = {"IMAGE_SYNC_NOTICE_URL": "https://hooks.example.org/a", f"IMAGE_SYNC_{name}": value}
    with pytest.raises(SettingsError) as caught:
        load(environ, apis=SUPPORT, with_sources=False)

    (mistake,) = caught.value.mistakes
    assert mistake.startswith(f"IMAGE_SYNC_{name} (environment): ")
    assert message in mistake
    assert name not in {"NOTICE_URL", "NOTICE_SECRET"} or value not in mistake


def test_notice_settings() -> None:
    """All notices but the daily summary are on by default; unsafe and useless settings are warned about."""

    def read(**options: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        environ = {f"IMAGE_SYNC_NOTICE_{name}": value for name, value in options.items()}
        settings = load(environ, apis=SUPPORT, with_sources=False)
        return settings.notice_on, settings.warnings

    plain = "http://hooks.example.org/a"
    assert read(URL="https://a:b@hooks.example.org:8443/x?y=z") == (NOTICES[:-1], ())
    assert read(URL="http://127.0.0.1:9/x", ON="daily, held") == (("daily", "held"), ())
    assert read(URL="http://[::1]:9/x", ON="") == ((), ())
    assert "plain http" in read(URL=plain, ALLOW_HTTP="true")[1][0]
    assert "notice_secret, notice_style have no effect" in read(SECRET=SECRET, STYLE="json")[1][0]


def test_all_parts_of_an_address_are_secret() -> None:
    """Path, long words, user and password of an address are secrets, and the key with and without its prefix."""
    environ = {
        "IMAGE_SYNC_NOTICE_URL": "https://user:pass@hooks.example.org/services/T000/long-enough-token?k=v",
        "IMAGE_SYNC_NOTICE_SECRET": SECRET,
    }
    settings = load(environ, apis=SUPPORT, with_sources=False)

    assert set(settings.secrets()) == {
        environ["IMAGE_SYNC_NOTICE_URL"],
        "/services/T000/long-enough-token?k=v",
        "long-enough-token",
        "user:pass",
        "pass",
        SECRET,
        SECRET.removeprefix("whsec_"),
    }
    assert "long-enough-token" not in repr(settings)


def test_without_an_address_notices_cost_nothing(job: Job) -> None:
    """Without an address no module of notices is imported."""
    del job.settings["IMAGE_SYNC_NOTICE_URL"], job.settings["IMAGE_SYNC_NOTICE_SECRET"]
    done = job("run", PYTHONPROFILEIMPORTTIME="1")

    assert done.code == 0
    assert "sync.store.runs.transaction" in done.err
    assert "sync.notices" not in done.err
    assert ask(job.url, "SELECT count(*) FROM inventory.runs") == 1


def json_lines(text: str) -> list[str]:
    """The lines that are JSON objects."""
    return [line for line in text.splitlines() if line.startswith("{")]
