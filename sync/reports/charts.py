"""Pictures as inline SVG, without style or script of their own: colours are classes; each has a title and description.

Lengths are in units of the view box, which the page scales. The page also has a table of the numbers in each picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from markupsafe import Markup, escape

from sync.logs import escape as visible
from sync.reports.gaps import FAILED, OTHER, PROVEN, WITHHELD, Gap, Row, state, when
from sync.reports.series import Column, Span

WIDTH = 720
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 10, 24
_PLOT = WIDTH - _LEFT - _RIGHT
_HEIGHT = 200
_LANE = 30
_BAR = 22
_TICKS = 6  # steps between the labels of time, at most
_MINUTE, _DAY = 60, 86_400


class Caption(NamedTuple):
    """The text of a picture, for readers who cannot see it.

    Attributes:
        name: name of the picture, unique in its page.
        title: what it shows, in a few words.
        about: what it shows, with numbers.
    """

    name: str
    title: str
    about: str


def over_time(caption: Caption, shown: Span, points: Sequence[tuple[datetime, int]]) -> Markup:
    """A number that changes in steps, as an area.

    Args:
        caption: the text of the picture.
        shown: the time from left to right.
        points: the moments at which the number changed, and its new values, in order.
    """
    top = nice(max((count for _moment, count in points), default=0))
    places = [(_x(shown, moment), _y(count, top)) for moment, count in points]
    corners = [f"{x:.1f},{y:.1f}" for x, y in places[:1]]
    for (_left, old), (x, new) in pairwise(places):
        corners += [f"{x:.1f},{old:.1f}", f"{x:.1f},{new:.1f}"]
    line = " L".join(corners)
    area = f"M{places[0][0]:.1f},{_y(0, top)} L{line} L{places[-1][0]:.1f},{_y(0, top)} Z"
    body = [*_scale(top), *_times(shown, _HEIGHT), f'<path class="area" d="{area}"/><path class="line" d="M{line}"/>']
    return _svg(caption, _HEIGHT + _TOP + _BOTTOM, body)


def stacked(caption: Caption, columns: Sequence[Column], step: int) -> Markup:
    """Counts by kind, as stacked columns.

    Args:
        caption: the text of the picture.
        columns: the columns from left to right.
        step: seconds from one column to the next.
    """
    top = nice(max((sum(column.counts.values()) for column in columns), default=0))
    wide = _PLOT / max(len(columns), 1)
    body = [*_scale(top), *_column_labels(columns, wide, step)]
    for n, column in enumerate(columns):
        floor = 0
        for kind, count in column.counts.items():
            if count:
                x, y, size = _LEFT + (n + 0.1) * wide, _y(floor + count, top), wide * 0.8
                high = _y(floor, top) - y
                body.append(f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{high:.1f}"/>')
            floor += count
    return _svg(caption, _HEIGHT + _TOP + _BOTTOM, body)


def timeline(caption: Caption, shown: Span, lanes: Mapping[str, Sequence[Row]], gaps: Sequence[Gap]) -> Markup:
    """Runs as marks on a lane per source, with shaded gaps.

    Args:
        caption: the text of the picture.
        shown: the time from left to right.
        lanes: runs by source.
        gaps: times without a proven run.
    """
    body = []
    for n, (source, runs) in enumerate(lanes.items()):
        y = _TOP + n * _LANE
        body.append(f'<text class="lane" x="0" y="{y + 18}">{_short(source)}</text>')
        body.append(f'<rect class="track" x="{_LEFT}" y="{y + 2}" width="{_PLOT}" height="{_LANE - 6}"/>')
        for gap in gaps:
            if gap.source == source:
                left, right = _x(shown, gap.begin), _x(shown, gap.end)
                where = f'x="{left:.1f}" y="{y + 2}" width="{max(right - left, 1):.1f}" height="{_LANE - 6}"'
                body.append(f'<rect class="gap" {where}/>')
        body += _marks(shown, runs, y)
    high = len(lanes) * _LANE
    return _svg(caption, high + _TOP + _BOTTOM, [*body, *_times(shown, high)])


def shares(caption: Caption, counts: Mapping[str, int]) -> Markup:
    """Shares of a whole, as horizontal bars with their numbers."""
    most, wide = max(counts.values(), default=1), 340
    body = []
    for n, (value, count) in enumerate(counts.items()):
        y = n * _BAR
        body.append(f'<text x="108" y="{y + 15}" class="right">{_short(value, 17)}</text>')
        body.append(f'<rect class="share" x="114" y="{y + 3}" width="{count / most * 180:.1f}" height="{_BAR - 6}"/>')
        body.append(f'<text x="{120 + count / most * 180:.1f}" y="{y + 15}">{count:,}</text>')
    return _svg(caption, max(len(counts), 1) * _BAR, body, wide)


def nice(most: int) -> int:
    """The next larger number whose quarters are easy to read; at least 4."""
    power = 1
    while True:
        for factor in (4, 8, 12, 16, 20, 24, 32):
            if factor * power >= most:
                return factor * power
        power *= 10


def _svg(caption: Caption, high: float, body: Sequence[str], wide: int = WIDTH) -> Markup:
    title, about = f"{caption.name}-title", f"{caption.name}-about"
    return Markup(  # noqa: S704 - names are constants of this program, all other text is escaped
        f'<svg viewBox="0 0 {wide} {high:g}" role="img" aria-labelledby="{title} {about}">'
        f'<title id="{title}">{escape(caption.title)}</title>'
        f'<desc id="{about}">{escape(caption.about)}</desc>'
        f"{''.join(body)}</svg>"
    )


def _scale(top: int) -> Iterator[str]:
    for part in range(5):
        count = top * part / 4
        if count == int(count):
            y = _y(count, top)
            yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="right" x="{_LEFT - 6}" y="{y + 4:.1f}">{int(count):,}</text>'


def _times(shown: Span, high: float) -> Iterator[str]:
    for n in range(_TICKS + 1):
        moment = shown.begin + timedelta(seconds=shown.seconds * n / _TICKS)
        side = "left" if n == 0 else "right" if n == _TICKS else "middle"
        x = f"{_x(shown, moment):.1f}"
        yield f'<line class="tick" x1="{x}" x2="{x}" y1="{_TOP + high}" y2="{_TOP + high + 4}"/>'
        yield f'<text class="{side}" x="{x}" y="{_TOP + high + 18}">{_moment(moment, shown.seconds / _TICKS)}</text>'


def _column_labels(columns: Sequence[Column], wide: float, step: int) -> Iterator[str]:
    every = max(1, ceil(len(columns) / _TICKS))
    for n in range(0, len(columns), every):
        x, text = _LEFT + (n + 0.5) * wide, _moment(columns[n].begin, step)
        yield f'<text class="{"left" if n == 0 else "middle"}" x="{x:.1f}" y="{_TOP + _HEIGHT + 18}">{text}</text>'


def _marks(shown: Span, runs: Sequence[Row], y: float) -> Iterator[str]:
    """One mark per place and state, so that a year of runs stays small; the worst state comes last, on top."""
    for each in (OTHER, PROVEN, WITHHELD, FAILED):
        places = {round(_x(shown, when(run))) for run in runs if state(run) == each}
        for x in sorted(places):
            yield f'<rect class="run {each}" x="{x - 1}" y="{y + 2}" width="3" height="{_LANE - 6}"/>'
            if each == FAILED:  # shown by its shape too, not by colour alone
                yield f'<path class="run failed" d="M{x - 4},{y - 3} h9 l-4.5,6 Z"/>'


def _x(shown: Span, moment: datetime) -> float:
    return _LEFT + shown.place(moment) * _PLOT


def _y(count: float, top: int) -> float:
    return _TOP + _HEIGHT * (1 - count / top)


def _moment(moment: datetime, step: float) -> str:
    """A moment, as precise as the seconds from one label to the next require."""
    if step >= _DAY:
        return f"{moment:%Y-%m-%d}"
    if step >= _MINUTE:
        return f"{moment:%m-%d %H:%M}"
    return f"{moment:%H:%M:%S}" if step >= 1 else f"{moment:%H:%M:%S.%f}"[:-4]


def _short(text: str, most: int = 8) -> Markup:
    shown = text if len(text) <= most else f"{text[: most - 1]}…"
    return escape(visible(shown))
