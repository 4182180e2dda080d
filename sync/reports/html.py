"""A report as one HTML file: no script, no request, pictures with their tables, light and dark, and fit for paper."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sync import __version__
from sync.domain.checks import Check, Finding
from sync.domain.image import iso
from sync.logs import escape
from sync.reports import charts, series
from sync.reports.charts import Words
from sync.reports.gaps import FAILED, WITHHELD, lanes, state
from sync.reports.model import KINDS, Change, Report, Row

_FOLDER = Path(__file__).with_name("templates")
_SHOWN = 200  # characters of a name or value
_IMAGES = 1_000  # images whose changes are told one by one
_RUNS = 300
_FINDINGS = 25  # of each check
_LANES = 25  # sources on the timeline
_SHARES = 12  # values of a dimension
DIMENSIONS = {
    "os_type": "System",
    "platform": "Platform",
    "imagetype": "Type",
    "visibility": "Visibility",
    "architecture": "Architecture",
}


class Group(NamedTuple):
    """All that happened to one image."""

    source: str
    id: str
    name: str | None
    changes: Sequence[Change]

    @property
    def exposes(self) -> bool:
        """Whether it became public or lost its protection by one of them."""
        return any(change.exposes for change in self.changes)


class Found(NamedTuple):
    """What one check found."""

    check: Check
    findings: Sequence[Finding]


def html(report: Report, sql: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        report: what to tell.
        sql: how each number can be had from the database, by what it tells.
    """
    style = _FOLDER.joinpath("report.css").read_text(encoding="utf-8")
    groups = _groups(report)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            style=Markup(style),  # noqa: S704 - our own file
            style_hash=b64encode(sha256(style.encode()).digest()).decode(),
            version=__version__,
            counts=report.counts,
            before=sum(report.before.values()),
            after=sum(report.after.values()),
            pictures=_pictures(report),
            dimensions=_dimensions(report),
            groups=groups[:_IMAGES],
            more_images=max(0, len(groups) - _IMAGES),
            deletions=[change for change in report.changes if change.kind == "deleted"][:_IMAGES],
            runs=_runs(report.runs),
            run_of={run["run"]: run for run in report.runs},
            found=_found(report),
            most_findings=_FINDINGS,
            gaps=report.gaps,
            states=_states(report),
            sql=sql,
        )
    )


def _pictures(report: Report) -> dict[str, Any]:
    shown, points, columns = series.span(report), series.images(report), series.columns(report)
    step, name = series.width(report)
    sources = lanes(report.runs)
    counts, states = report.counts, _states(report)
    low, high = min(count for _at, count in points), max(count for _at, count in points)
    return {
        "step": name,
        "points": _few(points),
        "columns": [column for column in columns if any(column.counts.values())],
        "images": charts.over_time(
            Words("images", "Images over time", f"From {points[0][1]} to {points[-1][1]}; {low} to {high}."),
            shown,
            points,
        ),
        "changes": charts.stacked(
            Words("changes", f"Changes a {name}", ", ".join(f"{counts[kind]} {kind}" for kind in KINDS) + "."),
            columns,
            KINDS,
            step,
        ),
        "runs": charts.timeline(
            Words("runs", "Runs over time", ", ".join(f"{n} {state}" for state, n in states.items()) or "No runs."),
            shown,
            dict(list(sources.items())[:_LANES]),
            report.gaps,
        ),
        "more_lanes": max(0, len(sources) - _LANES),
    }


def _dimensions(report: Report) -> Iterator[tuple[str, Mapping[str, int], Markup]]:
    """Each dimension with its values, the rarest taken together, and the picture of them."""
    for dimension, title in DIMENSIONS.items():
        counts = dict(report.shares.get(dimension, {}))
        if len(counts) > _SHARES:
            kept = list(counts.items())[: _SHARES - 1]
            counts = dict(kept) | {"all others": sum(counts.values()) - sum(count for _value, count in kept)}
        about = ", ".join(f"{escape(value)} {count}" for value, count in counts.items()) or "No images."
        yield title, counts, charts.shares(Words(f"share-{dimension}", f"Images by {title.lower()}", about), counts)


def _groups(report: Report) -> list[Group]:
    """Changes by image: what exposes one first, then those that changed last."""
    ordered = sorted(report.changes, key=lambda change: (change.source, change.id, change.at))
    found = [
        Group(source, image_id, changes[-1].name, changes)
        for (source, image_id), group in groupby(ordered, key=lambda change: (change.source, change.id))
        for changes in (list(group),)
    ]
    return sorted(found, key=lambda one: (not one.exposes, -one.changes[-1].run, one.source, one.id))


def _runs(runs: Sequence[Row]) -> list[Row]:
    """Those to show: of too many, those that changed something or went wrong, and the last ones."""
    if len(runs) <= _RUNS:
        return list(runs)
    told = [run for run in runs if _eventful(run)][-_RUNS:]
    numbers = {run["run"] for run in told} | {run["run"] for run in runs[-(_RUNS - len(told)) or len(runs) :]}
    return [run for run in runs if run["run"] in numbers]


def _eventful(run: Row) -> bool:
    changed = any(run[kind] for kind in (*KINDS, "held", "quarantined"))
    return changed or state(run) in (FAILED, WITHHELD)


def _found(report: Report) -> list[Found]:
    by_name = {check.name: check for check in report.checks}
    return [
        Found(by_name[name], list(group)) for name, group in groupby(report.findings, key=lambda finding: finding.check)
    ]


def _states(report: Report) -> dict[str, int]:
    return dict(Counter(state(run) for run in report.runs).most_common())


def _few(points: Sequence[tuple[datetime, int]], most: int = 60) -> list[tuple[datetime, int]]:
    """Some of them, evenly, the first and the last among them; the picture has all."""
    step = max(1, -(-len(points) // most))
    return [*points[:-1:step], points[-1]]


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(shown=_shown, prose=_prose, instant=_instant, exact=iso)
    return made


def _shown(text: object) -> str:
    """Text that is nothing but text, not too long, with whatever can't be seen made visible."""
    if text is None:
        return "nothing"
    plain = str(text)
    return escape(plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}… ({len(plain):,} characters)")


def _prose(text: str) -> Markup:
    """A sentence of ours, or of a check's header, in which code stands between backticks."""
    parts = _shown(text).split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


def _instant(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
