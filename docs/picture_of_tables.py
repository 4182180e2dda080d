"""Draws the tables and how their rows refer to each other, as SVG."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, ROW = 190, 34, 17
PLACES = {  # column and row of each table
    "sources": (0, 1),
    "runs": (1, 1),
    "images": (1, 0),
    "image_versions": (2, 0),
    "run_pages": (2, 1),
    "held_deletions": (0, 0),
    "quarantine": (0, 2),
    "findings": (1, 2),
    "prunings": (2, 2),
    "report_bookmarks": (0, 3),
    "missing_images": (1, 3),
}
# Of whom to whom, and by what; where a foreign key stands, the line is drawn through.
LINES = (
    ("image_versions", "images", "source, id", False),
    ("held_deletions", "images", "source, id", False),
    ("missing_images", "images", "source, id", False),
    ("images", "runs", "valid_from_run, deleted_run, invisible_run", False),
    ("runs", "sources", "source", True),
    ("run_pages", "runs", "source, run", True),
    ("quarantine", "runs", "source, first_run", True),
    ("findings", "runs", "source, first_run", True),
)
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1f24 } .key { font-size: 11px; fill: #57606a }
rect { fill: #f6f8fa; stroke: #57606a } path { fill: none; stroke: #57606a }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .key { fill: #9198a1 } rect { fill: #161b22; stroke: #9198a1 } path { stroke: #9198a1 }
}
"""


def draw(keys: Mapping[str, Sequence[str]]) -> str:
    """The picture.

    Args:
        keys: the columns of the primary key, by table.
    """
    missing = keys.keys() ^ PLACES.keys()
    if missing:
        raise SystemExit(f"docs/picture_of_tables.py does not place the same tables as there are: {sorted(missing)}")
    parts = [_line(*line) for line in LINES] + [_box(name, key) for name, key in keys.items()]
    title = "<title>The tables of the inventory</title>"
    about = "; ".join(f"{one} refers to {other} by {by}" for one, other, by, _ in LINES)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 520" role="img">{title}<desc>{escape(about)}</desc>'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _corner(name: str) -> tuple[int, int]:
    column, row = PLACES[name]
    return 20 + column * 315, 20 + row * 140


def _box(name: str, key: Sequence[str]) -> str:
    x, y = _corner(name)
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT + ROW}" rx="4"/>'
        f'<text x="{x + 10}" y="{y + 21}" font-weight="600">{name}</text>'
        f'<text class="key" x="{x + 10}" y="{y + 40}">{escape(", ".join(key))}</text>'
    )


def _line(one: str, other: str, by: str, checked: bool) -> str:  # noqa: FBT001 - drawn through, or dashed
    (ax, ay), (bx, by_) = _corner(one), _corner(other)
    height = HEIGHT + ROW
    if ay == by_:  # side by side
        left, right = sorted((ax, bx))
        path = f"M{left + WIDTH} {ay + height / 2} H{right}"
        x, y = (left + WIDTH + right) / 2, ay + height / 2 - 7
    else:
        top, bottom = sorted((ay, by_))
        path = f"M{ax + WIDTH / 2} {top + height} V{bottom}"
        x, y = ax + WIDTH / 2 + 8, (top + height + bottom) / 2 + 4
    anchor = "middle" if ay == by_ else "start"
    dash = "" if checked else ' stroke-dasharray="5 4"'
    return f'<path d="{path}"{dash}/><text class="key" x="{x}" y="{y}" text-anchor="{anchor}">{escape(by)}</text>'
