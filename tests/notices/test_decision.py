"""What is told of a run, and how it is written: rules and texts, without a database or a receiver."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import jsonschema
import pytest
from receiver import SCHEMA

from sync import logs
from sync.domain.notices import Notice, RunFacts, Sample
from sync.domain.status import Status
from sync.notices.decision import notices_of, trial_notice
from sync.notices.formats import as_json, as_slack
from sync.notices.signing import headers
from sync.settings.model import NOTICES

BEGAN = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOSTILE = [
    "<!channel> & <@U123|bob> <https://evil.example|bank>",
    "@everyone @here @channel",
    "[pay here](https://evil.example)",
    "\x1b[31mred\u202eder\nsecond line\0",
    "x" * 10_000,
    "`*_~ &lt;!here&gt;",
]


def facts(**known: Any) -> RunFacts:
    """Facts of a run that was proven and brought nothing about."""
    usual = {"status": Status.DONE, "proven": True, "proven_before": True}
    return RunFacts(7, "east", started_at=BEGAN, finished_at=BEGAN + timedelta(seconds=3), **usual | known)


def kinds(known: RunFacts, failures: int = 3, wanted: tuple[str, ...] = NOTICES) -> list[str]:
    """Which kinds of notices are made of these facts."""
    return [notice.kind for notice in notices_of(known, wanted, failures)]


def held(name: str | None = "golden", count: int = 1) -> RunFacts:
    """Facts of a run that held deletions."""
    example = {"id": "id-1", "name": name}
    return facts(status=Status.WITHHELD, held=Sample(count, (example,)), waiting=count, reason="too many are gone")


@pytest.mark.parametrize(
    ("failed", "told", "at", "kind"),
    [
        (1, 0, 1, ["failures"]),
        (2, 0, 3, []),
        (3, 2, 3, ["failures"]),
        (4, 3, 3, []),
        (90, 89, 3, []),
        (4, 2, 3, ["failures"]),  # the one that reached it was killed, and told nobody
        (5, 0, 3, ["failures"]),
        (0, 0, 1, []),  # a later run took effect before this one ended
    ],
)
def test_failed_runs_in_a_row_are_told_once(failed: int, told: int, at: int, kind: list[str]) -> None:
    """By the first run that can tell it when the number is reached; by none after it."""
    known = facts(status=Status.FAILED, proven=False, failed=failed, failed_told=told)

    assert kinds(known, at) == kind


@pytest.mark.parametrize(("failed", "kind"), [(0, []), (2, []), (3, ["failures_over"]), (40, ["failures_over"])])
@pytest.mark.parametrize("status", [Status.DONE, Status.WITHHELD])
def test_end_of_failed_runs_is_told(status: Status, failed: int, kind: list[str]) -> None:
    """By the run that takes effect again, if as many failed before it as are told."""
    assert kinds(facts(status=status, failed=failed)) == kind


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        (None, False, ["unproven"]),
        (True, False, ["unproven"]),
        (False, False, []),
        (False, True, ["unproven_over"]),
        (True, True, []),
        (None, True, []),
    ],
)
def test_unproven_lists_are_told_when_they_begin_and_end(before: bool | None, now: bool, kind: list[str]) -> None:  # noqa: FBT001 - a table
    """Not by every run anew."""
    assert kinds(facts(proven=now, proven_before=before)) == kind


@pytest.mark.parametrize(
    "status", [Status.RUNNING, Status.INTERRUPTED, Status.SUPERSEDED, Status.SKIPPED, Status.ABANDONED]
)
def test_a_run_that_was_stopped_or_overtaken_tells_nothing(status: Status) -> None:
    """Whatever else is known of it."""
    known = replace(held(), status=status, failed=3, quarantined=Sample(1, ()), day={})

    assert kinds(known) == []


def test_a_failed_run_tells_of_no_list() -> None:
    """It has none, so nothing is unproven or proven again."""
    assert kinds(facts(status=Status.FAILED, proven=False, failed=1)) == []


def test_only_what_is_wanted_is_told() -> None:
    """The end of a state belongs to its kind."""
    known = replace(held(), failed=3, proven_before=False)

    assert kinds(known) == ["failures_over", "unproven_over", "held"]
    assert kinds(known, wanted=("unproven",)) == ["unproven_over"]
    assert kinds(known, wanted=()) == []


def test_identity_is_stable_and_nobody_elses() -> None:
    """The same facts give the same id; another kind, run, source or moment another; none holds a full stop."""
    known = replace(held(), failed=3)
    first = [notice.id for notice in notices_of(known, NOTICES, 3)]
    others = [
        replace(known, run=8),
        replace(known, source="west"),
        replace(known, started_at=BEGAN + timedelta(microseconds=1)),
    ]
    ids = first + [notice.id for other in others for notice in notices_of(other, NOTICES, 3)]

    assert [notice.id for notice in notices_of(replace(known, waiting=99), NOTICES, 3)] == first
    assert len(set(ids)) == len(ids) == 8
    assert not any("." in each for each in ids)


def every_kind() -> list[Notice]:
    """A notice of each kind."""
    example = {"id": "id-1", "name": None, "field": "visibility", "old": "private", "new": "public"}
    day: dict[str, Any] = dict.fromkeys(("runs", "failed", "created", "updated", "restored", "deleted"), 1)
    day |= {"live": 5, "held": 0, "quarantined": 0, "proven_seconds_ago": None}
    many = [
        replace(held(), failed=3, exposed=Sample(1, (example,)), proven=False, day=day),
        facts(proven_before=False, quarantined=Sample(7, ({"id": None, "reason": "no id"},))),
        facts(status=Status.FAILED, failed=3),
        facts(proven=True, unconfirmed=2, reason="2 missing images could not be confirmed gone: HTTP 403"),
        facts(proven=True, unconfirmed_before=2),
    ]
    return [notice for known in many for notice in notices_of(known, NOTICES, 3)] + [trial_notice("0" * 32, BEGAN)]


def test_json_of_every_kind_is_as_the_schema_says() -> None:
    """Every kind that the schema names is made, and no other."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    made = [json.loads(as_json(notice)) for notice in every_kind()]

    for each in made:
        jsonschema.validate(each, SCHEMA)
    assert {each["kind"] for each in made} == set(SCHEMA["properties"]["kind"]["enum"])
    assert {kind.removesuffix("_over") for kind in SCHEMA["properties"]["kind"]["enum"]} == {*NOTICES, "test"}


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_steer_a_chat(name: str) -> None:
    """No mention, no link, no second line, no control character, and no long text, whatever an image is called."""
    body, count = as_slack(
        [replace(each, sentence=f"{each.sentence} {name}") for each in notices_of(held(name), NOTICES, 3)]
    )
    sent = json.loads(body)
    text = sent["text"]

    assert count == 1
    assert (sent["mrkdwn"], sent["link_names"]) == (False, False)
    assert not {"<", ">"} & set(text)
    assert not any(after != "\u200b" for at, after in pairwise(text) if at == "@")
    assert "](" not in text
    assert "://" not in text
    assert text.count("\n") == 1
    assert all(char.isprintable() for char in text if char not in "\n\u200b")
    assert len(text) < 4_000


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_break_json(name: str) -> None:
    """By the schema, with the name as data and a sentence of one line."""
    notice = notices_of(replace(held(name), reason=name), NOTICES, 3)[0]
    told = json.loads(as_json(notice))

    jsonschema.validate(told, SCHEMA)
    assert told["examples"][0]["name"][:200] == name[:200]
    assert told["sentence"].isprintable()


def test_escaped_characters_are_those_of_slack() -> None:
    """&, < and > as entities, each once."""
    body, _ = as_slack(notices_of(held("a<b>&amp;"), NOTICES, 3))

    assert "a&lt;b&gt;&amp;amp;" in json.loads(body)["text"]


def test_many_notices_are_one_message_of_bounded_length() -> None:
    """As many as it holds go into one message; the rest into the next."""
    notices = notices_of(held("n" * 250), NOTICES, 3) * 40
    sizes, left = [], notices
    while left:
        body, count = as_slack(left)
        sizes.append(len(json.loads(body)["text"]))
        left = left[count:]

    assert 1 < len(sizes) < 10
    assert max(sizes) < 4_000


def test_what_is_left_out_is_counted() -> None:
    """Of many deletions the first are shown, and how many more there are."""
    body, _ = as_slack(notices_of(held(count=41), NOTICES, 3))

    assert "and 40 more" in json.loads(body)["text"]


def test_secrets_are_masked_in_bodies() -> None:
    """A secret that a server echoed into the reason of a run stays in the house."""
    logs.protect("canary-of-a-body")
    known = replace(held("canary-of-a-body"), reason="the cloud says canary-of-a-body")
    notices = notices_of(known, NOTICES, 3)

    assert b"canary" not in as_json(notices[0]) + as_slack(notices)[0]


def test_signature_is_that_of_the_specification() -> None:
    """The example that the libraries of Standard Webhooks are tested with; without a key nothing is signed."""
    key, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signed = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, key)

    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers("msg_1", 1, b"", None) == {"webhook-id": "msg_1", "webhook-timestamp": "1"}
