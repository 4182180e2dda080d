"""A report as Markdown, short enough for a chat message: the verdict, and the most notable changes of each kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sync.domain.metrics import CHANGES
from sync.domain.values import iso
from sync.logs import escape
from sync.reports.model import Change, Report

_MOST = 10  # changes of each kind that are listed
_SHOWN = 80  # characters of a name or value
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~@-])")


def markdown(report: Report) -> str:
    """The whole text."""
    source = f" of {plain(report.source)}" if report.source else ""
    head = f"**Image inventory{source}, {iso(report.begin)} to {iso(report.end)}**"
    first, *more = report.verdict()
    lines = [head, first, *(f"- {sentence}" for sentence in more)]
    for kind in CHANGES:
        lines += _kind(kind, [change for change in report.changes if change.kind == kind])
    return "\n".join(lines) + "\n"


def _kind(kind: str, changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        return
    yield f"\n{kind.capitalize()}: {len(changes)}"
    # Changes that expose an image come first, then the newest.
    ordered = sorted(changes, key=lambda change: (not change.exposes, -change.run, change.id))
    for change in ordered[:_MOST]:
        fields = [
            f"{plain(one.field)} {plain(one.old)} → {plain(one.new)}"
            for one in change.fields
            if one.field != "updated_at"
        ]
        yield f"- {plain(change.name or change.id)}{': ' if fields else ''}{', '.join(fields)}"
    if len(changes) > _MOST:
        yield f"- and {len(changes) - _MOST} more"


def plain(text: str | None) -> str:
    """Text without effect: no markup, no mention, no control character, and not too long."""
    if text is None:
        return "nothing"
    shown = escape(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
    return _SPECIAL.sub(r"\\\1", shown)
