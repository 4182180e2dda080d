"""A report as Markdown, short enough for a chat message: what changed, what needs attention, what is most notable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sync.domain.image import iso
from sync.logs import escape
from sync.reports.model import KINDS, Change, Report

_MOST = 10  # changes of each kind that are told one by one
_SHOWN = 80  # characters of a name or value
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~@-])")


def markdown(report: Report) -> str:
    """The whole text."""
    about = f" of {plain(report.source)}" if report.source else ""
    head = f"**Image inventory{about}, {iso(report.begin)} to {iso(report.end)}**"
    first, *more = report.verdict()
    parts = [head, first, *(f"- {sentence}" for sentence in more)]
    for kind in KINDS:
        parts += _kind(kind, [change for change in report.changes if change.kind == kind])
    return "\n".join(parts) + "\n"


def _kind(kind: str, changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        return
    yield f"\n{kind.capitalize()}: {len(changes)}"
    # What exposes an image comes first; of the rest the newest.
    ordered = sorted(changes, key=lambda change: (not change.exposes, -change.run, change.id))
    for change in ordered[:_MOST]:
        yield f"- {plain(change.name or change.id)}{_fields(change)}"
    if len(changes) > _MOST:
        yield f"- and {len(changes) - _MOST} more"


def _fields(change: Change) -> str:
    if not change.fields:
        return ""
    told = [
        f"{plain(one.name)} {plain(one.old)} → {plain(one.new)}" for one in change.fields if one.name != "updated_at"
    ]
    return f": {', '.join(told)}" if told else ""


def plain(text: str | None) -> str:
    """Text that is nothing but text: no markup, no mention, no control character, not too long."""
    if text is None:
        return "nothing"
    shown = escape(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
    return _SPECIAL.sub(r"\\\1", shown)
