"""What a report tells, before it has a form: the same numbers for every format.

All of it comes from the views of the database and from two moments, and from nothing that changes later: a report that
is made twice for the same moments says the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from sync.domain.checks import Check, Finding
from sync.domain.image import iso
from sync.reports.gaps import Gap, gaps, proven_of

_TOLD = 10  # doubts that are told one by one
KINDS = ("created", "updated", "restored", "deleted")
_EXPOSED = {("visibility", "public"), ("protected", "false")}
Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field that changed; without a name: the image itself came or went."""

    name: str | None
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What one run found changed of one image.

    Attributes:
        at: when it was found: it happened not later.
        not_before: when the image was last seen as it had been; None: no one had looked before.
    """

    source: str
    id: str
    name: str | None
    kind: str
    at: datetime
    not_before: datetime | None
    run: int
    fields: tuple[Field, ...]

    @property
    def exposes(self) -> bool:
        """Whether the image became public or lost its protection."""
        return any((field.name, field.new) in _EXPOSED for field in self.fields)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How far the answer about a source can be trusted at one of the two moments.

    Attributes:
        proven_run: the last run up to the moment that proved its list; None: there is none.
        proven_at: when it took effect.
        pruned: whether history from that moment was removed since.
        failed: runs after it and up to the moment that did not prove their list.
        last_run: the last run up to the moment that wrote something, be it only its record.
        digest: what that run bears, in hexadecimal: it vouches for all runs before it. None: runs bore none then.
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
        """Why the answer may be wrong, in words, or ""."""
        if self.proven_run is None:
            return "no proven run had taken place: what existed then is not known"
        if self.pruned:
            return "history from then was pruned"
        return f"{_many(self.failed, 'run')} had not proven the list since run {self.proven_run}" if self.failed else ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report on the time after ``begin``, up to and including ``end``.

    Attributes:
        source: the source it is about; None is all of them.
        before, after: images by source at the two moments.
        shares: images at the end by value, by dimension.
        changes: in the order in which they were found.
        runs: those that took effect or began in that time.
        held: deletions that waited for a person at the end.
        quarantined: records that were first met in that time and are no image.
        evidence: of each source at both moments.
        checks: those that were carried out on the images as they were at the end, ...
        findings: ... and what they found, the worst first.
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
        """Changes by kind."""
        found = Counter(change.kind for change in self.changes)
        return {kind: found[kind] for kind in KINDS}

    @property
    def days(self) -> dict[date, dict[str, int]]:
        """Changes by kind, by day in UTC; days without any are left out."""
        found: dict[date, dict[str, int]] = {}
        for change in self.changes:
            found.setdefault(change.at.date(), dict.fromkeys(KINDS, 0))[change.kind] += 1
        return dict(sorted(found.items()))

    @property
    def exposed(self) -> list[Change]:
        """Changes by which an image became public or lost its protection."""
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
    def complete(self) -> bool:
        """Whether all of it was looked at: both moments, every source between them, and without a gap."""
        doubts = any(one.doubt for one in self.evidence) or self.troubled or self.unseen or self.gaps
        return bool(self.evidence) and not doubts

    @property
    def unseen(self) -> list[str]:
        """Sources whose list no run proved in this time."""
        seen = {source for source, moments in proven_of(self.runs).items() if moments}
        return sorted({one.source for one in self.evidence} - seen)

    def verdict(self) -> Iterator[str]:
        """The report in a few sentences, the first of which says what changed."""
        counts, before, after = self.counts, sum(self.before.values()), sum(self.after.values())
        if not self.runs:
            yield "No run took place in this time: nothing is known of it but what was known before."
        if not self.evidence:
            yield "No source had been synced by then: what existed is not known."
        yield (
            f"{_many(after, 'image')}, {before:,} before: {counts['created']:,} created, "
            f"{counts['updated']:,} updated, {counts['restored']:,} restored, {counts['deleted']:,} deleted."
        )
        yield from self.attention()
        if self.findings:
            yield f"{_many(len(self.findings), 'finding')} of the checks: {_severities(self.findings)}."
        if self.complete:
            yield "The evidence is complete: proven lists around both moments, and every run between them was proven."

    def attention(self) -> Iterator[str]:
        """What a person should look at, in sentences."""
        if self.exposed:
            exposed = len({(one.source, one.id) for one in self.exposed})
            yield f"{_many(exposed, 'image')} became public or lost protection."
        if self.held:
            yield f"{_many(len(self.held), 'deletion')} withheld: a person has to say whether these images are gone."
        if self.quarantined:
            yield f"{_many(len(self.quarantined), 'record')} could not be read as an image."
        if self.troubled:
            yield f"{len(self.troubled):,} of {_many(len(self.runs), 'run')} failed, or could not prove the list."
        if self.runs and self.unseen:
            yield f"No run of {_some(self.unseen)} proved its list in this time: what changed there is not known."
        if found := self.gaps:
            longest = max(found, key=lambda gap: gap.end - gap.begin)
            yield (
                f"{_many(len(found), 'gap')} without a proven run, longer than usual; the longest, of source "
                f"{longest.source}, from {iso(longest.begin)} to {iso(longest.end)}."
            )
        doubtful = [one for one in self.evidence if one.doubt]
        for one in doubtful[:_TOLD]:
            yield f"Source {one.source} at {iso(one.moment)}: {one.doubt}."
        if len(doubtful) > _TOLD:
            yield f"So it is at {_many(len(doubtful) - _TOLD, 'moment')} more of sources: see the evidence."


def _some(names: Sequence[str], most: int = 5) -> str:
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _severities(findings: Iterable[Finding]) -> str:
    found = Counter(finding.severity for finding in findings)
    return ", ".join(f"{found[severity]:,} {severity}" for severity in sorted(found, reverse=True))


def changes_of(rows: Iterable[Row]) -> Iterator[Change]:
    """Group the rows of ``image_changes`` by image and run; they come ordered by these."""
    for (source, image_id, run, kind), group in groupby(
        rows, key=lambda row: (row["source"], row["id"], row["run"], row["kind"])
    ):
        parts = list(group)
        fields = tuple(Field(row["field"], row["old"], row["new"]) for row in parts if row["field"] is not None)
        first = parts[0]
        yield Change(source, image_id, first["name"], kind, first["at"], first["not_before"], run, fields)
