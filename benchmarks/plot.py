"""A plot as SVG, written by hand: groups of horizontal bars on a scale of powers of ten, for light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

_WIDTH, _LEFT, _RIGHT, _TOP = 800, 210, 70, 44
_BAR, _GAP, _TITLE = 18, 6, 30
_STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .title { font-size: 16px; font-weight: 600 } .group { font-weight: 600 } .scale { fill: #59636e }
    .ground { fill: #ffffff } .grid { stroke: #d1d9e0 } .bar { fill: #8c959f } .ours { fill: #0969da }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .scale { fill: #9198a1 }
      .ground { fill: #0d1117 } .grid { stroke: #3d444d } .bar { fill: #656c76 } .ours { fill: #4493f8 }
    }"""


class Bar(NamedTuple):
    """One bar."""

    label: str
    seconds: float
    ours: bool


class Group(NamedTuple):
    """Bars that are compared with each other."""

    title: str
    bars: Sequence[Bar]


def draw(title: str, groups: Sequence[Group]) -> str:
    """The whole picture, with its content in words for those who cannot see it."""
    scale = _Scale([bar.seconds for group in groups for bar in group.bars])
    bottom, body = _TOP, list[str]()
    for group in groups:
        body += _group(group, bottom, scale)
        bottom += _TITLE + len(group.bars) * (_BAR + _GAP)
    lines = [*scale.grid(bottom), *body]
    return "\n".join([*_head(title, groups, bottom + 34), *lines, "</svg>"]) + "\n"


class _Scale:
    """Where a number of seconds lies."""

    def __init__(self, seconds: Sequence[float]) -> None:
        # From half of the least, so that its bar has a length too.
        self._low, self._high = floor(log10(min(seconds) / 2)), ceil(log10(max(seconds)))

    def at(self, seconds: float) -> float:
        share = (log10(seconds) - self._low) / (self._high - self._low)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def grid(self, bottom: int) -> Iterator[str]:
        steps = [step * 10.0**power for power in range(self._low, self._high) for step in (1, 2, 5)]
        for seconds in [*steps, 10.0**self._high]:
            x = self.at(seconds)
            yield f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{bottom}"/>'
            yield _text(x, bottom + 20, f"{seconds:g} s", "scale", anchor="middle")


def _head(title: str, groups: Sequence[Group], height: int) -> Iterator[str]:
    told = "; ".join(
        f"{group.title}: {', '.join(f'{bar.label} {bar.seconds:.2f} s' for bar in group.bars)}" for group in groups
    )
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="t d">'
    yield f'<title id="t">{escape(title)}</title>'
    yield f'<desc id="d">{escape(told)}.</desc>'
    yield f"<style>{_STYLE}\n</style>"
    yield f'<rect class="ground" width="{_WIDTH}" height="{height}"/>'
    yield _text(12, 26, title, "title")


def _group(group: Group, top: int, scale: _Scale) -> Iterator[str]:
    yield _text(12, top + 21, group.title, "group")
    for number, bar in enumerate(group.bars):
        y = top + _TITLE + number * (_BAR + _GAP)
        end = scale.at(bar.seconds)
        kind = "bar ours" if bar.ours else "bar"
        yield _text(_LEFT - 8, y + 14, bar.label, "label", anchor="end")
        yield f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{max(end - _LEFT, 1):.1f}" height="{_BAR}" rx="2"/>'
        yield _text(end + 6, y + 14, f"{bar.seconds:.2f} s", "label")


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'
