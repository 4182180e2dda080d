"""Pictures as inline SVG, without style or script of their own: classes for colours, a title and a description each.

Lengths are units of the view box; the page scales it. What a picture shows stands in a table beside it, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from markupsafe import Markup, escape

from sync.logs import escape as visible
from sync.reports.gaps import Gap
from sync.reports.series import Column, Span

WIDTH = 720
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 10, 24
_PLOT = WIDTH - _LEFT - _RIGHT
_HEIGHT = 200
_LANE = 30
_BAR = 22
_TICKS = 6  # labels of time, at most, with room for each
_MINUTE, _DAY = 60, 86_400


class Words(NamedTuple):
    """What is said of a picture to who can't see it.

    Attributes:
        name: of the picture, unique in its page.
        title: what it shows.
        about: the same in a sentence with numbers.
    """

    name: str
    title: str
    about: str


def over_time(words: Words, shown: Span, points: Sequence[tuple[datetime, int]]) -> Markup:
    """A quantity that holds until it changes, as an area with steps.

    Args:
        words: what is said of it.
        shown: the time from left to right.
        points: when it changed and to what, in order.
    """
    top = nice(max((count for _moment, count in points), default=0))
    corners = [f"{_x(shown, points[0][0])},{_y(points[0][1], top)}"]
    for (_before, old), (moment, new) in pairwise(points):
        corners += [f"{_x(shown, moment)},{_y(old, top)}", f"{_x(shown, moment)},{_y(new, top)}"]
    floor, right = _y(0, top), _x(shown, points[-1][0])
    area = f"M{_x(shown, points[0][0])},{floor} L{' L'.join(corners)} L{right},{floor} Z"
    line = f"M{' L'.join(corners)}"
    body = [*_scale(top), *_times(shown, _HEIGHT), f'<path class="area" d="{area}"/><path class="line" d="{line}"/>']
    return _svg(words, _HEIGHT + _TOP + _BOTTOM, body)


def stacked(words: Words, columns: Sequence[Column], kinds: Sequence[str], step: int) -> Markup:
    """Counts by kind, a column each; ``step`` is how many seconds a column stands for."""
    top = nice(max((sum(column.counts.values()) for column in columns), default=0))
    wide = _PLOT / max(len(columns), 1)
    body = [*_scale(top), *_column_labels(columns, wide, step)]
    for n, column in enumerate(columns):
        floor = 0
        for kind in kinds:
            count = column.counts[kind]
            if count:
                high = _y(floor, top, exact=True) - _y(floor + count, top, exact=True)
                x, y = _LEFT + n * wide + wide * 0.1, _y(floor + count, top)
                body.append(f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{wide * 0.8:.1f}" height="{high:.1f}"/>')
            floor += count
    return _svg(words, _HEIGHT + _TOP + _BOTTOM, body)


def timeline(
    words: Words,
    shown: Span,
    lanes: Mapping[str, Sequence[tuple[datetime, str]]],
    gaps: Sequence[Gap],
) -> Markup:
    """Runs as marks on a lane for each source, what was worst on top; gaps are shaded."""
    body = []
    for n, (source, runs) in enumerate(lanes.items()):
        y = _TOP + n * _LANE
        body.append(f'<text class="lane" x="0" y="{y + 18}">{_short(source)}</text>')
        body.append(f'<rect class="track" x="{_LEFT}" y="{y + 2}" width="{_PLOT}" height="{_LANE - 6}"/>')
        for gap in gaps:
            if gap.source == source:
                left, right = _x(shown, gap.begin, exact=True), _x(shown, gap.end, exact=True)
                where = f'x="{left:.1f}" y="{y + 2}" width="{max(right - left, 1):.1f}" height="{_LANE - 6}"'
                body.append(f'<rect class="gap" {where}/>')
        body += _marks(shown, runs, y)
    high = len(lanes) * _LANE
    return _svg(words, high + _TOP + _BOTTOM, [*body, *_times(shown, high)])


def shares(words: Words, counts: Mapping[str, int]) -> Markup:
    """Shares of a whole, as bars from the left, each with its number."""
    most, wide = max(counts.values(), default=1), 340
    body = []
    for n, (value, count) in enumerate(counts.items()):
        y = n * _BAR
        body.append(f'<text x="108" y="{y + 15}" class="right">{_short(value, 17)}</text>')
        body.append(f'<rect class="share" x="114" y="{y + 3}" width="{count / most * 180:.1f}" height="{_BAR - 6}"/>')
        body.append(f'<text x="{120 + count / most * 180:.1f}" y="{y + 15}">{count:,}</text>')
    return _svg(words, max(len(counts), 1) * _BAR, body, wide)


def nice(most: int) -> int:
    """The next number above whose quarters are easy to read; at least 4."""
    power = 1
    while True:
        for factor in (4, 8, 12, 16, 20, 24, 32):
            if factor * power >= most:
                return factor * power
        power *= 10


def _svg(words: Words, high: float, body: Sequence[str], wide: int = WIDTH) -> Markup:
    return Markup(  # noqa: S704 - names are the page's own, all other text is escaped
        f'<svg viewBox="0 0 {wide} {high:g}" role="img" aria-labelledby="{words.name}-title {words.name}-about">'
        f'<title id="{words.name}-title">{escape(words.title)}</title>'
        f'<desc id="{words.name}-about">{escape(words.about)}</desc>'
        f"{''.join(body)}</svg>"
    )


def _scale(top: int) -> Iterator[str]:
    for part in range(5):
        count = top * part / 4
        if count == int(count):
            y = _y(count, top)
            yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
            yield f'<text class="right" x="{_LEFT - 6}" y="{float(y) + 4:.1f}">{int(count):,}</text>'


def _times(shown: Span, high: float) -> Iterator[str]:
    for n in range(_TICKS + 1):
        moment = shown.begin + timedelta(seconds=shown.seconds * n / _TICKS)
        side = "left" if n == 0 else "right" if n == _TICKS else "middle"
        x = _x(shown, moment)
        yield f'<line class="tick" x1="{x}" x2="{x}" y1="{_TOP + high}" y2="{_TOP + high + 4}"/>'
        yield f'<text class="{side}" x="{x}" y="{_TOP + high + 18}">{_moment(moment, shown.seconds / _TICKS)}</text>'


def _column_labels(columns: Sequence[Column], wide: float, step: int) -> Iterator[str]:
    every = max(1, ceil(len(columns) / _TICKS))
    for n in range(0, len(columns), every):
        x, text = _LEFT + (n + 0.5) * wide, _moment(columns[n].begin, step)
        yield f'<text class="{"left" if n == 0 else "middle"}" x="{x:.1f}" y="{_TOP + _HEIGHT + 18}">{text}</text>'


def _marks(shown: Span, runs: Sequence[tuple[datetime, str]], y: float) -> Iterator[str]:
    """One mark a place and state, so that a year of runs is not drawn run by run; the worst last, on top."""
    for state in ("other", "proven", "withheld", "failed"):
        places = {round(_x(shown, moment, exact=True)) for moment, went in runs if went == state}
        for x in sorted(places):
            yield f'<rect class="run {state}" x="{x - 1}" y="{y + 2}" width="3" height="{_LANE - 6}"/>'
            if state == "failed":  # told by its form, too
                yield f'<path class="run failed" d="M{x - 4},{y - 3} h9 l-4.5,6 Z"/>'


def _x(shown: Span, moment: datetime, *, exact: bool = False) -> float:
    x = _LEFT + shown.place(moment) * _PLOT
    return x if exact else round(x, 1)


def _y(count: float, top: int, *, exact: bool = False) -> float:
    y = _TOP + _HEIGHT * (1 - count / top)
    return y if exact else round(y, 1)


def _moment(moment: datetime, step: float) -> str:
    """A moment, as exactly as the step from one to the next asks for."""
    if step >= _DAY:
        return f"{moment:%Y-%m-%d}"
    if step >= _MINUTE:
        return f"{moment:%m-%d %H:%M}"
    return f"{moment:%H:%M:%S}" if step >= 1 else f"{moment:%H:%M:%S.%f}"[:-4]


def _short(text: str, most: int = 8) -> Markup:
    shown = text if len(text) <= most else f"{text[: most - 1]}…"
    return escape(visible(shown))
