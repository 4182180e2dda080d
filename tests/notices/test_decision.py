"""Which notices a run makes and how they are written, without a database or a receiver."""

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


def facts(**changes: Any) -> RunFacts:
    """The facts of a proven run without changes."""
    defaults = {"status": Status.DONE, "proven": True, "proven_before": True}
    return RunFacts(7, "east", started_at=BEGAN, finished_at=BEGAN + timedelta(seconds=3), **defaults | changes)


def kinds(run_facts: RunFacts, failures: int = 3, chosen: tuple[str, ...] = NOTICES) -> list[str]:
    """The kinds of notices made from these facts."""
    return [notice.kind for notice in notices_of(run_facts, chosen, failures)]


def held(name: str | None = "golden", count: int = 1) -> RunFacts:
    """The facts of a run that held deletions."""
    example = {"id": "id-1", "name": name}
    return facts(status=Status.WITHHELD, held=Sample(count, (example,)), waiting=count, reason="too many are gone")


@pytest.mark.parametrize(
    ("failed", "notified", "at", "expected"),
    [
        (1, 0, 1, ["failures"]),
        (2, 0, 3, []),
        (3, 2, 3, ["failures"]),
        (4, 3, 3, []),
        (90, 89, 3, []),
        (4, 2, 3, ["failures"]),  # the run that reached it was killed before its notice
        (5, 0, 3, ["failures"]),
        (0, 0, 1, []),  # a later run took effect before this one ended
    ],
)
def test_consecutive_failures_are_notified_once(failed: int, notified: int, at: int, expected: list[str]) -> None:
    """The first run that reaches the number of failures sends the notice, and none after it."""
    run_facts = facts(status=Status.FAILED, proven=False, failed=failed, failed_notified=notified)

    assert kinds(run_facts, at) == expected


@pytest.mark.parametrize(("failed", "expected"), [(0, []), (2, []), (3, ["failures_over"]), (40, ["failures_over"])])
@pytest.mark.parametrize("status", [Status.DONE, Status.WITHHELD])
def test_the_end_of_failures_is_notified(status: Status, failed: int, expected: list[str]) -> None:
    """The first run that takes effect again sends a notice if there was one about the failures before it."""
    assert kinds(facts(status=status, failed=failed)) == expected


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, False, ["unproven"]),
        (True, False, ["unproven"]),
        (False, False, []),
        (False, True, ["unproven_over"]),
        (True, True, []),
        (None, True, []),
    ],
)
def test_start_and_end_of_unproven_lists_are_notified(before: bool | None, now: bool, expected: list[str]) -> None:  # noqa: FBT001 - a table
    """A run that is as unproven as the one before it sends no notice."""
    assert kinds(facts(proven=now, proven_before=before)) == expected


@pytest.mark.parametrize(
    "status", [Status.RUNNING, Status.INTERRUPTED, Status.SUPERSEDED, Status.SKIPPED, Status.ABANDONED]
)
def test_stopped_and_superseded_runs_send_no_notice(status: Status) -> None:
    """A run that neither took effect nor failed sends no notice, whatever its facts."""
    run_facts = replace(held(), status=status, failed=3, quarantined=Sample(1, ()), day={})

    assert kinds(run_facts) == []


def test_a_failed_run_says_nothing_about_proof() -> None:
    """A failed run has no list, so it is neither unproven nor proven again."""
    assert kinds(facts(status=Status.FAILED, proven=False, failed=1)) == []


def test_only_the_chosen_kinds_are_sent() -> None:
    """The notice of the end of a state belongs to the kind of the state."""
    run_facts = replace(held(), failed=3, proven_before=False)

    assert kinds(run_facts) == ["failures_over", "unproven_over", "held"]
    assert kinds(run_facts, chosen=("unproven",)) == ["unproven_over"]
    assert kinds(run_facts, chosen=()) == []


def test_ids_are_stable_and_unique() -> None:
    """The same facts give the same id; another kind, run, source or time gives another; none has a full stop."""
    run_facts = replace(held(), failed=3)
    first = [notice.id for notice in notices_of(run_facts, NOTICES, 3)]
    others = [
        replace(run_facts, run=8),
        replace(run_facts, source="west"),
        replace(run_facts, started_at=BEGAN + timedelta(microseconds=1)),
    ]
    ids = first + [notice.id for other in others for notice in notices_of(other, NOTICES, 3)]

    assert [notice.id for notice in notices_of(replace(run_facts, waiting=99), NOTICES, 3)] == first
    assert len(set(ids)) == len(ids) == 8
    assert not any("." in identifier for identifier in ids)


def every_kind() -> list[Notice]:
    """A notice of each kind."""
    example = {"id": "id-1", "name": None, "field": "visibility", "old": "private", "new": "public"}
    day: dict[str, Any] = dict.fromkeys(("runs", "failed", "created", "updated", "restored", "deleted", "invisible"), 1)
    day |= {"live": 5, "held": 0, "quarantined": 0, "proven_seconds_ago": None}
    several = [
        replace(held(), failed=3, exposed=Sample(1, (example,)), proven=False, day=day),
        facts(proven_before=False, quarantined=Sample(7, ({"id": None, "reason": "no id"},))),
        facts(status=Status.FAILED, failed=3),
        facts(proven=True, unconfirmed=2, reason="2 missing images could not be confirmed gone: HTTP 403"),
        facts(proven=True, unconfirmed_before=2),
    ]
    return [notice for run_facts in several for notice in notices_of(run_facts, NOTICES, 3)] + [
        trial_notice("0" * 32, BEGAN)
    ]


def test_the_json_of_every_kind_matches_the_schema() -> None:
    """Every kind in the schema can be made, and no other."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    bodies = [json.loads(as_json(notice)) for notice in every_kind()]

    for body in bodies:
        jsonschema.validate(body, SCHEMA)
    assert {body["kind"] for body in bodies} == set(SCHEMA["properties"]["kind"]["enum"])
    assert {kind.removesuffix("_over") for kind in SCHEMA["properties"]["kind"]["enum"]} == {*NOTICES, "test"}


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_steer_a_chat(name: str) -> None:
    """Whatever the name of an image, a message has no mention, link, extra line, control character or long text."""
    body, count = as_slack(
        [replace(notice, sentence=f"{notice.sentence} {name}") for notice in notices_of(held(name), NOTICES, 3)]
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
    """Whatever the name of an image, the JSON matches the schema, and its sentence is one line."""
    notice = notices_of(replace(held(name), reason=name), NOTICES, 3)[0]
    body = json.loads(as_json(notice))

    jsonschema.validate(body, SCHEMA)
    assert body["examples"][0]["name"][:200] == name[:200]
    assert body["sentence"].isprintable()


def test_escaped_characters_are_those_of_slack() -> None:
    """&, < and > are written as entities, once each."""
    body, _ = as_slack(notices_of(held("a<b>&amp;"), NOTICES, 3))

    assert "a&lt;b&gt;&amp;amp;" in json.loads(body)["text"]


def test_many_notices_are_split_into_bounded_messages() -> None:
    """A message has as many notices as fit; the others go into the next ones."""
    notices = notices_of(held("n" * 250), NOTICES, 3) * 40
    sizes, left = [], notices
    while left:
        body, count = as_slack(left)
        sizes.append(len(json.loads(body)["text"]))
        left = left[count:]

    assert 1 < len(sizes) < 10
    assert max(sizes) < 4_000


def test_what_is_left_out_is_counted() -> None:
    """Of many deletions the first are shown, with the number of the others."""
    body, _ = as_slack(notices_of(held(count=41), NOTICES, 3))

    assert "and 40 more" in json.loads(body)["text"]


def test_secrets_are_masked_in_bodies() -> None:
    """A secret in the reason of a run or in a name is masked."""
    logs.protect("canary-of-a-body")
    run_facts = replace(held("canary-of-a-body"), reason="the cloud says canary-of-a-body")
    notices = notices_of(run_facts, NOTICES, 3)

    assert b"canary" not in as_json(notices[0]) + as_slack(notices)[0]


def test_signature_is_that_of_the_specification() -> None:
    """The signature is the one of the Standard Webhooks example; without a key nothing is signed."""
    key, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signed = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, key)

    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers("msg_1", 1, b"", None) == {"webhook-id": "msg_1", "webhook-timestamp": "1"}
