"""The log of a run as a program reads it: fixed events, each with its run and source, and the cloud's request id."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import breakage
import effects
import pytest
from checkout import CHECKOUT
from cli_tools import FAST, Done, Job
from credential_tools import Run
from effects import Effect
from fault_rules import FaultySimulator
from http_server import HttpServer, always, reply
from servers import Server
from settings_tools import user_login

from sync import logs
from sync.cloud.auth.iam import IamToken
from sync.cloud.auth.identity import LoginRequest
from sync.cloud.auth.token import TokenCache
from sync.cloud.workers import Workers
from sync.errors import CloudError
from sync.simulator import TOKENS, Login, Simulator, World

GOOD = ["run started", "inventory read", "list read", "changes written", "run ended"]
LOGIN = Login("reader", "a password", "account")


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    """A simulated cloud of three pages, with a user."""
    with FaultySimulator(World(seed=1, size=1200), login=LOGIN) as simulator:
        yield simulator


@pytest.fixture
def job(tmp_path: Path, server: Server, cloud: Simulator) -> Job:
    """A job with a database and a cloud."""
    return Job(tmp_path, server.migrated(), cloud)


def lines(done: Done) -> list[dict[str, Any]]:
    """Standard error, where each line must be one JSON object."""
    return [json.loads(line) for line in done.err.splitlines()]


def request_ids(cloud: Simulator) -> list[str]:
    """The request ids of all the cloud's answers so far."""
    return [str(event.detail["request_id"]) for event in cloud.journal.answers()]


def test_a_run_in_an_empty_database_says_so(job: Job, server: Server) -> None:
    """Where a run makes the inventory, the log begins with that: somebody may be about to restore a backup."""
    first, second = (lines(job("run", IMAGE_SYNC_DATABASE_URL=url)) for url in [server.empty()] * 2)

    assert [line["event"] for line in first] == ["inventory created", *GOOD]
    assert "restore a backup over it" in first[0]["advice"]
    assert [line["event"] for line in second] == GOOD


def test_a_good_run_logs_five_events(job: Job, cloud: Simulator) -> None:
    """Every good run logs the same five events, each with the run and its source."""
    first = job("run")
    cloud.world.change(3)
    results = [first, job("run"), job("run")]

    for number, each in enumerate(results, 1):
        assert [line["event"] for line in lines(each)] == GOOD
        assert {line["level"] for line in lines(each)} == {"info"}
        assert {(line["run"], line["source"]) for line in lines(each)} == {(number, "default")}
    ended = lines(results[1])[-1]
    assert (ended["status"], ended["updated"], ended["unchanged"]) == ("done", 3, 1197)


def test_missing_images_log_one_event_more(job: Job, cloud: Simulator) -> None:
    """With missing images one more event says how many were asked for, and how many are gone."""
    job("run")
    cloud.world.delete(4)
    logged = lines(job("run"))

    assert [line["event"] for line in logged] == [*GOOD[:3], "images looked up", *GOOD[3:]]
    assert (logged[3]["ids"], logged[3]["gone"], logged[3]["unconfirmed"]) == (4, 4, 0)


def test_a_withheld_run_is_a_warning_that_says_what_to_do(job: Job, cloud: Simulator) -> None:
    """A withheld run ends with a warning that names the run to approve and the command."""
    job("run")
    cloud.world.delete(600)
    ended = lines(job("run"))[-1]

    assert (ended["event"], ended["level"], ended["status"], ended["held_by"]) == (
        "run ended",
        "warning",
        "withheld",
        [2],
    )
    assert "image-sync approve 2" in ended["advice"]


def test_a_plan_logs_its_own_event(job: Job) -> None:
    """A plan ends with an event of its own."""
    job("run")
    logged = lines(job("plan"))

    assert [line["event"] for line in logged] == ["inventory read", "list read", "plan made"]


def test_an_unproven_reading_is_a_warning(job: Job, cloud: Simulator) -> None:
    """Each unproven reading is a warning with the reason."""
    cloud.listing.page_cap = 100
    cloud.faults.add(Effect("unsorted", ask=lambda query: replace(query, descending=True)), times=None)
    cloud.faults.add(effects.total_missing(), times=None)
    read = [line for line in lines(job("run", **FAST)) if line["event"] == "list read"]

    assert read
    assert {(line["level"], line["complete"]) for line in read} == {("warning", False)}
    assert all(line["proof"] for line in read)


FAILURES: Mapping[str, Effect] = {
    "refused": effects.status(401),
    "forbidden": effects.status(403),
    "throttled": effects.throttled(),
    "fault": effects.status(500),
    "web page": effects.garbage("html"),
    "no list": effects.images("missing"),
    "cut short": breakage.truncate(200),
    "compressed": breakage.gzip(),
}


@pytest.mark.parametrize("effect", FAILURES.values(), ids=FAILURES)
def test_every_failure_names_the_request(job: Job, cloud: Simulator, effect: Effect) -> None:
    """A failed run names the request id and the HTTP status, both as fields and in its reason."""
    cloud.faults.add(effect, times=None)
    failed = lines(job("run", IMAGE_SYNC_MAX_RETRIES="1", IMAGE_SYNC_DEADLINE="20", IMAGE_SYNC_CONCURRENCY="1"))[-1]

    assert (failed["event"], failed["level"], failed["status"]) == ("run failed", "error", "failed")
    assert (failed["source"], failed["run"]) == ("default", 1)
    assert failed["request_id"] == request_ids(cloud)[-1]
    assert failed["http_status"] >= 200
    assert f"request {failed['request_id']}" in failed["reason"]


def test_each_retry_names_the_failed_request(job: Job, cloud: Simulator) -> None:
    """Each retry of a run that ends well is a warning with the failed request, from whichever thread."""
    cloud.faults.add(effects.status(503), times=2, offset=490)
    logged = lines(job("run"))
    repeated = [line for line in logged if line["event"] == "request repeated"]

    assert [line["event"] for line in logged if line not in repeated] == GOOD
    assert [(line["level"], line["attempt"], line["http_status"]) for line in repeated] == [
        ("warning", 1, 503),
        ("warning", 2, 503),
    ]
    assert {line["request_id"] for line in repeated} < set(request_ids(cloud))
    assert {(line["run"], line["source"]) for line in repeated} == {(1, "default")}


def test_an_unconfirmed_image_is_named(job: Job, cloud: Simulator) -> None:
    """A failed request for one image is a warning with the image and the request."""
    job("run")
    (gone,) = cloud.world.delete(1)
    cloud.faults.add(effects.status(404), id=gone, times=None)
    warnings = [line for line in lines(job("run")) if line["event"] == "image not confirmed"]

    assert [(line["image"], line["level"], line["http_status"]) for line in warnings] == [(gone, "warning", 404)]
    assert warnings[0]["request_id"] in request_ids(cloud)


def test_a_failed_login_names_the_request(job: Job, cloud: Simulator) -> None:
    """A refused login and a broken identity service are logged with the request id and the status."""
    del job.settings["IMAGE_SYNC_TOKEN"]
    job.settings |= {"IMAGE_SYNC_IAM_ENDPOINT": cloud.url, "IMAGE_SYNC_USERNAME": LOGIN.user}
    job.settings |= {"IMAGE_SYNC_DOMAIN": LOGIN.domain, "IMAGE_SYNC_PASSWORD": LOGIN.password}
    cloud.faults.add(effects.garbage("html"), path=TOKENS, times=None)
    broken = lines(job("run", **FAST))[-1]
    cloud.faults.clear()
    refused = lines(job("run", IMAGE_SYNC_PASSWORD="another"))[-1]

    assert [line["http_status"] for line in (broken, refused)] == [201, 401]
    assert all(line["request_id"] for line in (broken, refused))
    assert broken["request_id"] != refused["request_id"]


def test_the_trace_id_of_the_identity_service() -> None:
    """The request id of a login comes from X-IAM-Trace-Id, also when a refused login is not retried."""
    answer = reply({"error": {"message": "no"}}, status=401, headers={"X-IAM-Trace-Id": "trace-7"})
    with HttpServer(always(answer)) as service:
        user, cache = user_login(service.url, "reader", "x", "account"), TokenCache()
        errors = [_refusal(user, cache) for _ in range(2)]

    assert [error.request_id for error in errors] == ["trace-7", "trace-7"]
    assert len(service.asked) == 1
    assert "minutes ago" in str(errors[1])


def _refusal(user: LoginRequest, cache: TokenCache) -> CloudError:
    run = Run()
    with pytest.raises(CloudError) as caught:
        IamToken(user, cache, run.policy).headers("GET", "http://127.0.0.1/")
    return caught.value


def test_a_failed_command_is_logged_as_json(job: Job) -> None:
    """An error before any run begins is a JSON line as well."""
    (failed,) = lines(job("run", "--source", "nobody"))

    assert (failed["event"], failed["level"], failed["exit_code"]) == ("command failed", "error", 2)
    assert failed["error"] == "UnknownError"


def test_a_warning_about_settings_is_logged_as_json(job: Job) -> None:
    """A warning about the settings is a JSON line as well."""
    first = lines(job("run", IMAGE_SYNC_DATA_FOLDER="/nowhere"))[0]

    assert (first["event"], first["level"]) == ("configuration warning", "warning")
    assert "data_folder has no effect" in first["reason"]


def test_fields_can_be_added_until_a_block_ends() -> None:
    """A field added within a block is on all further lines of the block and its workers, and not after it."""
    stream = io.StringIO()
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    logs.configure("info", "json", stream)
    log = logs.get("sync")
    try:
        logs.extend(run=0)  # has no effect outside of a block
        with logs.bind(source="edge"):
            log.info("before")
            logs.extend(run=7)
            with Workers(lambda _: log.info("thread"), 2, lambda: None) as workers:
                workers.ask(1)
                workers.next()
            plain = threading.Thread(target=log.info, args=("other thread",))
            plain.start()
            plain.join()
        log.info("after")
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        logging.captureWarnings(capture=False)

    logged = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line.get("source"), line.get("run")) for line in logged] == [
        ("before", "edge", None),
        ("thread", "edge", 7),
        ("other thread", None, None),
        ("after", None, None),
    ]


def test_every_event_is_fixed_and_documented() -> None:
    """Each event in the code is a fixed text, and is in ``docs/logs.md``."""
    page = (CHECKOUT / "docs" / "logs.md").read_text(encoding="utf-8")
    texts = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "sync").rglob("*.py")]
    calls = [event for text in texts for event in re.findall(r"\b_log\.\w+\(\s*([^,)]+)", text)]
    events = {name.strip('"') for name in calls if name != "event"} | {"list read", "run ended", "plan made"}
    events |= {name for text in texts for name in re.findall(r"logs\.get\(__name__\)\.\w+\(\"([^\"]+)", text)}

    assert all(call == "event" or re.fullmatch(r'"[a-z ]+"', call) for call in calls)
    assert len(events) > 15
    assert {event for event in events if f"`{event}`" not in page} == set()
