"""Decide which notices a run brings about: pure rules, from its facts.

There is a notice when a state begins and when it ends, not for every run in between. A run that was stopped or killed
brings about none itself; the next one counts it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from hashlib import sha256

from sync.domain.metrics import CHANGES
from sync.domain.notices import Example, Notice, Number, RunFacts
from sync.domain.status import Status
from sync.domain.values import iso

TEST = "test"
_OVER = "_over"


def notices_of(facts: RunFacts, kinds: Collection[str], failures: int) -> list[Notice]:
    """The notices that a run brings about.

    Args:
        facts: the facts about the run.
        kinds: the kinds of notices to make, as in the settings; the end of a state belongs to its kind.
        failures: number of consecutive failed runs from which on there is a notice.
    """
    if facts.status is Status.FAILED:
        notices = [*_failures(facts, failures), *_day(facts)]
    elif facts.status in (Status.DONE, Status.WITHHELD):
        notices = [*_failures(facts, failures), *_effects(facts), *_day(facts)]
    else:
        return []
    return [notice for notice in notices if notice.kind.removesuffix(_OVER) in kinds]


def trial_notice(identity: str, now: datetime) -> Notice:
    """A notice that only tests whether notices arrive."""
    return Notice(f"evt_{identity}", TEST, None, None, now, "This is a test: notices of image-sync arrive here.")


def _failures(facts: RunFacts, failures: int) -> Iterator[Notice]:
    numbers = {"failed": facts.failed}
    if facts.status is not Status.FAILED:
        if facts.failed >= failures:
            yield _notice(facts, f"failures{_OVER}", f"runs succeed again, after {facts.failed} that failed", numbers)
    elif facts.failed >= failures > facts.failed_notified:
        sentence = f"{facts.failed} runs in a row have failed; the last" if facts.failed > 1 else "a run has failed"
        yield _notice(facts, "failures", f"{sentence}: {facts.reason}", numbers)


def _effects(facts: RunFacts) -> Iterator[Notice]:
    """The notices that only a run that took effect brings about."""
    if not facts.proven and facts.proven_before is not False:
        yield _notice(facts, "unproven", f"the list could not be proven, so nothing is deleted: {facts.proof}", {})
    if facts.proven and facts.proven_before is False:
        yield _notice(facts, f"unproven{_OVER}", "the list is proven again", {})
    if facts.proven:
        yield from _unconfirmed(facts)
    if held := facts.held.count:
        sentence = (
            f"{_many(held, 'deletion is', 'deletions are')} held until a person approves: {facts.reason}. "
            f"`image-sync status --held` lists them, `image-sync approve {facts.run}` releases these"
        )
        numbers = {"held": held, "waiting": facts.waiting}
        yield _notice(facts, "held", sentence, numbers, facts.held.examples)
    if count := facts.exposed.count:
        sentence = f"{_many(count, 'change', 'changes')} let more projects see an image, or took its protection away"
        yield _notice(facts, "exposure", sentence, {"changes": count}, facts.exposed.examples)
    if count := facts.quarantined.count:
        sentence = f"{_many(count, 'new record is', 'new records are')} quarantined, as they can't be read as images"
        yield _notice(facts, "quarantined", sentence, {"quarantined": count}, facts.quarantined.examples)


def _unconfirmed(facts: RunFacts) -> Iterator[Notice]:
    """Notices when missing images become unconfirmed, and when none is any more."""
    if facts.unconfirmed and not facts.unconfirmed_before:
        numbers = {"unconfirmed": facts.unconfirmed}
        yield _notice(facts, "unconfirmed", f"{facts.reason}; `image-sync status --missing` lists them", numbers)
    if facts.unconfirmed_before and not facts.unconfirmed:
        yield _notice(facts, f"unconfirmed{_OVER}", "no missing image is unconfirmed any more", {})


def _day(facts: RunFacts) -> Iterator[Notice]:
    day = facts.day
    if day is None:
        return
    changes = ", ".join(f"{day[kind]} {kind}" for kind in CHANGES if day[kind] or kind != "invisible")
    sentence = (
        f"the day before: {day['runs']} runs, {day['failed']} failed; images: {changes}. "
        f"Now: {day['live']} live, {day['held']} deletions held, {day['quarantined']} records quarantined; "
        f"{_age(day['proven_seconds_ago'])}"
    )
    yield _notice(facts, "daily", sentence, day)


def _age(seconds: Number) -> str:
    return "the list was never proven" if seconds is None else f"the list was last proven {seconds / 3600:.1f} h ago"


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _notice(
    facts: RunFacts, kind: str, sentence: str, numbers: Mapping[str, Number], examples: tuple[Example, ...] = ()
) -> Notice:
    # Two databases may share a receiver; the moment distinguishes their runs of the same number.
    key = "\n".join([facts.source, str(facts.run), iso(facts.started_at), kind])
    identity = f"evt_{sha256(key.encode()).hexdigest()[:32]}"
    return Notice(identity, kind, facts.source, facts.run, facts.finished_at, sentence, numbers, examples)
