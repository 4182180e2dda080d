"""A report as one HTML file, for screens and paper: no script, no request, and a table for each picture."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sync import __version__
from sync.domain.checks import Check, Finding
from sync.domain.metrics import CHANGES
from sync.domain.values import iso
from sync.logs import escape
from sync.reports import charts, series
from sync.reports.charts import Caption
from sync.reports.gaps import FAILED, WITHHELD, Row, by_source, state
from sync.reports.model import Change, Report

_FOLDER = Path(__file__).with_name("templates")
_SHOWN = 200  # characters of a name or value
_IMAGES = 1_000  # images whose changes are listed
_RUNS = 300
_FINDINGS = 25  # of each check
_LANES = 25  # sources on the timeline
_SHARES = 12  # values of a dimension
_POINTS = 60  # rows of the table of images over time
DIMENSIONS = {
    "os_type": "System",
    "platform": "Platform",
    "imagetype": "Type",
    "visibility": "Visibility",
    "architecture": "Architecture",
}


def html(report: Report, sql: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        report: the report.
        sql: the queries that give the numbers of the report, by title.
    """
    style = _FOLDER.joinpath("report.css").read_text(encoding="utf-8")
    images = _images(report)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            style=Markup(style),  # noqa: S704 - our own file
            style_hash=b64encode(sha256(style.encode()).digest()).decode(),
            version=__version__,
            counts=report.counts,
            pictures=_pictures(report),
            dimensions=_dimensions(report),
            images=images[:_IMAGES],
            more_images=max(0, len(images) - _IMAGES),
            deletions=[change for change in report.changes if change.kind == "deleted"][:_IMAGES],
            vanished=[change for change in report.changes if change.kind == "invisible"][:_IMAGES],
            runs=_runs(report.runs),
            run_of={run["run"]: run for run in report.runs},
            findings=_findings(report),
            most_findings=_FINDINGS,
            states=_states(report),
            sql=sql,
        )
    )


def _pictures(report: Report) -> dict[str, Any]:
    shown, points, columns = series.span(report), series.images(report), series.columns(report)
    seconds, width = series.width(report)
    lanes = by_source(report.runs)
    numbers = [count for _moment, count in points]
    about_images = f"From {numbers[0]} to {numbers[-1]}; {min(numbers)} to {max(numbers)}."
    about_changes = ", ".join(f"{count} {kind}" for kind, count in report.counts.items()) + "."
    about_runs = ", ".join(f"{count} {name}" for name, count in _states(report).items()) or "No runs."
    return {
        "width": width,
        "points": [*points[: -1 : max(1, -(-len(points) // _POINTS))], points[-1]],
        "columns": [column for column in columns if any(column.counts.values())],
        "images": charts.over_time(Caption("images", "Images over time", about_images), shown, points),
        "changes": charts.stacked(Caption("changes", f"Changes per {width}", about_changes), columns, seconds),
        "runs": charts.timeline(
            Caption("runs", "Runs over time", about_runs), shown, dict(list(lanes.items())[:_LANES]), report.gaps
        ),
        "more_lanes": max(0, len(lanes) - _LANES),
    }


def _dimensions(report: Report) -> Iterator[tuple[str, Mapping[str, int], Markup]]:
    """Title, numbers by value, and picture of each dimension; its rarest values are summed up as one."""
    for dimension, title in DIMENSIONS.items():
        counts = dict(report.shares.get(dimension, {}))
        if len(counts) > _SHARES:
            kept = dict(list(counts.items())[: _SHARES - 1])
            counts = kept | {"all others": sum(counts.values()) - sum(kept.values())}
        about = ", ".join(f"{escape(value)} {count}" for value, count in counts.items()) or "No images."
        yield title, counts, charts.shares(Caption(f"share-{dimension}", f"Images by {title.lower()}", about), counts)


def _images(report: Report) -> list[list[Change]]:
    """The changes of each image, in order; images that were exposed come first, then those that changed last."""
    ordered = sorted(report.changes, key=lambda change: (change.source, change.id, change.at))
    images = [list(group) for _image, group in groupby(ordered, key=lambda change: (change.source, change.id))]
    return sorted(images, key=lambda changes: (not any(one.exposes for one in changes), -changes[-1].run))


def _runs(runs: Sequence[Row]) -> list[Row]:
    """The runs to show: if there are too many, those that changed something or went wrong, and the last ones."""
    if len(runs) <= _RUNS:
        return list(runs)
    changes = (*CHANGES, "held", "quarantined")
    eventful = [run for run in runs if any(run[kind] for kind in changes) or state(run) in (FAILED, WITHHELD)][-_RUNS:]
    numbers = {run["run"] for run in eventful} | {run["run"] for run in runs[-(_RUNS - len(eventful)) or len(runs) :]}
    return [run for run in runs if run["run"] in numbers]


def _findings(report: Report) -> list[tuple[Check, list[Finding]]]:
    """The findings of each check that has any."""
    by_name = {check.name: check for check in report.checks}
    return [(by_name[name], list(group)) for name, group in groupby(report.findings, key=lambda one: one.check)]


def _states(report: Report) -> dict[str, int]:
    return dict(Counter(map(state, report.runs)).most_common())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=_shown, prose=_prose, instant=_instant, exact=iso)
    return environment


def _shown(text: object) -> str:
    """A value as text without effect, not too long, with invisible characters made visible."""
    if text is None:
        return "nothing"
    plain = str(text)
    return escape(plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}… ({len(plain):,} characters)")


def _prose(text: str) -> Markup:
    """A sentence from the header of a check, in which code is between backticks."""
    parts = _shown(text).split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


def _instant(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
