"""The evidence of a run, one row per answer."""

from __future__ import annotations

import re
from dataclasses import fields

from sync.domain.proof.cover import BEGINNING, END, moment_of
from sync.domain.run import Listing, Missing, PageEvidence, Run
from sync.store.connection import Connection
from sync.store.runs.counted import counted_copy

_EVIDENCE = [field.name for field in fields(PageEvidence) if field.name not in {"offset", "covers", "covers_ids"}]
_RENAMED = {"rows": "row_count"}  # words of SQL are poor names of columns
_PAGE = (
    "source",
    "run",
    "page",
    "row_offset",
    "covers",
    "covers_ids",
    *(_RENAMED.get(name, name) for name in _EVIDENCE),
)
_COPY_PAGES = f"COPY inventory.run_pages ({', '.join(_PAGE)}) FROM STDIN"


def write(connection: Connection, run: Run, listing: Listing, missing: Missing) -> None:
    """Write what each answer showed."""
    pages = [*listing.pages, *missing.pages]
    with counted_copy(connection, _COPY_PAGES, len(pages), "pages of evidence") as copy:
        for n, page in enumerate(pages, 1):
            place = [None if run.source.api.by_marker else page.offset, _covers(page), _covers_ids(page)]
            row = [run.source.name, run.number, n, *place, *(getattr(page, name) for name in _EVIDENCE)]
            copy.write_row([pg_text(value) if isinstance(value, str) else value for value in row])


def _covers(page: PageEvidence) -> str | None:
    """Write what a page covers as a range of moments for PostgreSQL."""
    if page.covers is None:
        return None
    bounds = ("" if end in (BEGINNING, END) else moment_of(end).isoformat() for end in page.covers)
    return "({},{})".format(*bounds)


def _covers_ids(page: PageEvidence) -> str | None:
    """Write what a page of a list by marker covers as a range of ids for PostgreSQL."""
    if page.covers_ids is None:
        return None
    after, last, from_after = (*page.covers_ids, False)[:3]
    begin, end = ("" if each is None else '"' + re.sub(r'(["\\])', r"\\\1", each) + '"' for each in (after, last))
    return f"{'[' if from_after and begin else '('}{begin},{end}{']' if end else ')'}"


def pg_text(text: str | None) -> str | None:
    """Text as PostgreSQL takes it: without NUL and lone surrogates."""
    return None if text is None else text.replace("\0", "").encode("utf-8", "replace").decode()
