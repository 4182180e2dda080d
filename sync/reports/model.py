"""The contents of a report, the same for every format.

All of it comes from the views of the database and two moments, and from nothing that changes later: a report that is
made twice for the same moments is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sync.domain.checks import Check, Finding
from sync.domain.metrics import CHANGES
from sync.domain.values import iso
from sync.reports.gaps import Gap, Row, gaps, proven_of

_DOUBTS = 10  # doubts that are listed one by one
_NAMES = 5  # sources that are named one by one
_WIDENING = ("private", "shared", "community", "public")  # visibilities; each lets more projects see an image


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that changed.

    Attributes:
        field: its name, or extra.<name> for a property of extra; None if the image itself came or went.
        old: its value before, as text, or None.
        new: its value after, as text, or None.
    """

    field: str | None
    old: str | None
    new: str | None

    @property
    def exposes(self) -> bool:
        """Whether more projects may see the image, or it lost its protection; as in ``inventory.exposure_changes``."""
        if self.field == "visibility" and self.old in _WIDENING and self.new in _WIDENING:
            return _WIDENING.index(self.old) < _WIDENING.index(self.new)
        return (self.field, self.new) in {("visibility", "public"), ("protected", "false")}


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one image that one run found.

    Attributes:
        source: source of the image.
        id: id of the image.
        name: name of the image, or None.
        kind: one of ``CHANGES``.
        at: when it was found, the latest time at which it can have happened.
        not_before: when the image was last seen unchanged; None if there was no run before.
        run: number of the run that found it.
        fields: the fields that changed.
    """

    source: str
    id: str
    name: str | None
    kind: str
    at: datetime
    not_before: datetime | None
    run: int
    fields: tuple[FieldChange, ...]

    @property
    def exposes(self) -> bool:
        """Whether more projects may see the image than before, or it lost its protection."""
        return any(one.exposes for one in self.fields)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How far the inventory of a source can be trusted at one of the two moments.

    Attributes:
        source: name of the source.
        moment: the moment.
        proven_run: number of the last run up to the moment that proved its list, or None.
        proven_at: when that run took effect.
        pruned: whether the history of that moment was removed since.
        failed: number of later runs up to the moment that did not prove their list.
        last_run: number of the last run up to the moment that was recorded, or None.
        digest: digest of that run in hexadecimal, which vouches for all runs before it; None if it has none.
    """

    source: str
    moment: datetime
    proven_run: int | None
    proven_at: datetime | None
    pruned: bool | None
    failed: int
    last_run: int | None
    digest: str | None

    @property
    def doubt(self) -> str:
        """Why the inventory may be wrong, in words, or ""."""
        if self.proven_run is None:
            return "no proven run had taken place: what existed then is not known"
        if self.pruned:
            return "the history of that time was pruned"
        return f"{_many(self.failed, 'run')} since run {self.proven_run} had not proven the list" if self.failed else ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report on the time after ``begin``, up to and including ``end``.

    Attributes:
        begin, end: the two moments.
        source: name of the only source it is about; None for all.
        before, after: number of images by source at the two moments.
        shares: number of images at the end by value, by dimension.
        changes: changes in the order in which they were found.
        runs: runs that took effect, or ended without, in that time.
        held: deletions that waited for approval at the end.
        quarantined: records first seen in that time that could not be read as an image.
        evidence: evidence for each source at both moments.
        checks: checks that were run on the images as they were at the end.
        findings: findings of these checks, the most severe first.
    """

    begin: datetime
    end: datetime
    source: str | None
    before: Mapping[str, int]
    after: Mapping[str, int]
    shares: Mapping[str, Mapping[str, int]]
    changes: Sequence[Change]
    runs: Sequence[Row]
    held: Sequence[Row]
    quarantined: Sequence[Row]
    evidence: Sequence[Evidence]
    checks: Sequence[Check] = ()
    findings: Sequence[Finding] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of changes by kind."""
        counter = Counter(change.kind for change in self.changes)
        return {kind: counter[kind] for kind in CHANGES}

    @property
    def days(self) -> dict[date, dict[str, int]]:
        """Number of changes by kind, by day in UTC; days without changes are left out."""
        days: dict[date, dict[str, int]] = {}
        for change in self.changes:
            days.setdefault(change.at.date(), dict.fromkeys(CHANGES, 0))[change.kind] += 1
        return dict(sorted(days.items()))

    @property
    def exposed(self) -> list[Change]:
        """Changes by which more projects may see an image, or it lost its protection."""
        return [change for change in self.changes if change.exposes]

    @property
    def troubled(self) -> list[Row]:
        """Runs that failed, or could not prove their list."""
        return [run for run in self.runs if run["status"] not in ("skipped", "superseded") and not run["proven"]]

    @property
    def gaps(self) -> list[Gap]:
        """Times without a proven run that were longer than usual."""
        before = {one.source: one.proven_at for one in self.evidence if one.moment == self.begin and one.proven_at}
        return gaps(self.runs, self.begin, self.end, before)

    @property
    def unseen(self) -> list[str]:
        """Sources whose list no run proved in this time."""
        seen = {source for source, moments in proven_of(self.runs).items() if moments}
        return sorted({one.source for one in self.evidence} - seen)

    @property
    def complete(self) -> bool:
        """Whether every source was proven at both moments, and in between without a gap or a failed run."""
        doubts = any(one.doubt for one in self.evidence) or self.troubled or self.unseen or self.gaps
        return bool(self.evidence) and not doubts

    def verdict(self) -> Iterator[str]:
        """The report in a few sentences, for each format to begin with."""
        counts, before, after = self.counts, sum(self.before.values()), sum(self.after.values())
        if not self.runs:
            yield "No run took place in this time: nothing new is known about it."
        if not self.evidence:
            yield "No source had been synced by then: what existed is not known."
        changes = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count or kind != "invisible")
        yield f"{_many(after, 'image')}, {before:,} before: {changes}."
        yield from self.attention()
        if self.findings:
            severities = Counter(finding.severity for finding in self.findings)
            numbers = ", ".join(f"{severities[severity]:,} {severity}" for severity in sorted(severities, reverse=True))
            yield f"{_many(len(self.findings), 'finding')} of the checks: {numbers}."
        if self.complete:
            yield "The evidence is complete: the list was proven at both moments, and by every run between them."

    def attention(self) -> Iterator[str]:
        """Sentences on what a person should look at."""
        if self.exposed:
            exposed = len({(one.source, one.id) for one in self.exposed})
            yield f"{_many(exposed, 'image')} became visible to more projects or lost protection."
        if self.held:
            yield f"{_many(len(self.held), 'deletion')} withheld until a person approves."
        if self.quarantined:
            yield f"{_many(len(self.quarantined), 'record')} could not be read as an image."
        if self.troubled:
            yield f"{len(self.troubled):,} of {_many(len(self.runs), 'run')} failed, or could not prove the list."
        if self.runs and (unseen := self.unseen):
            more = f" and {len(unseen) - _NAMES:,} more" if len(unseen) > _NAMES else ""
            names = ", ".join(unseen[:_NAMES]) + more
            yield f"No run of {names} proved its list in this time: what changed there is not known."
        if gaps := self.gaps:
            longest = max(gaps, key=lambda gap: gap.end - gap.begin)
            yield (
                f"{_many(len(gaps), 'gap')} without a proven run, longer than usual; the longest was in source "
                f"{longest.source}, from {iso(longest.begin)} to {iso(longest.end)}."
            )
        doubtful = [one for one in self.evidence if one.doubt]
        for one in doubtful[:_DOUBTS]:
            yield f"Source {one.source} at {iso(one.moment)}: {one.doubt}."
        if len(doubtful) > _DOUBTS:
            yield f"{_many(len(doubtful) - _DOUBTS, 'more doubt')} of this kind: see the evidence."


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
