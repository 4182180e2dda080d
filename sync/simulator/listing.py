"""Lists of images: which ones match a query, in which order, and the page of them that was asked for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from random import Random
from typing import Any, Protocol

from sync.simulator.entry import Entry
from sync.simulator.viewer import Viewer
from sync.simulator.world import World

_CACHED = 16  # orders that are kept, all of the same revision
PAGE_LIMIT = 500

Sorter = Callable[[Entry], Any]
Order = tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A request for images; those whose ids are ``hidden`` are left out as if they did not exist.

    Attributes:
        filters: the parameters that select images.
        limit: the most images of the page.
        offset: images to skip, in a list by offset.
        sort_key: the first key of the order.
        descending: its direction.
        hidden: ids to leave out.
        then: further keys of the order, each with whether it descends.
        marker: the image after which the page begins, in a list by marker; None for the first page.
        viewer: the project that asks; None for one that sees everything.
    """

    filters: tuple[tuple[str, str], ...] = ()
    limit: int = PAGE_LIMIT
    offset: int = 0
    sort_key: str = "created_at"
    descending: bool = True
    hidden: frozenset[str] = frozenset()
    then: Order = ()
    marker: Entry | None = None
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        entries: its images.
        total: the number of all images that match.
        full: it has as many images as a page can have.
    """

    entries: Sequence[Entry]
    total: int
    full: bool = False


class Rules(Protocol):
    """The part of a list that depends on its API."""

    def matching(self, world: World, query: Query) -> Iterable[Entry]:
        """The images that match a query, in any order; its ``hidden`` does not matter here."""

    def sorter(self, key: str) -> Sorter:
        """Return the function that gives the value of an image by which this key sorts."""


class Listing:
    """Pages of a world's images.

    Args:
        world: the images.
        rules: those of the API.
        page_cap: most images in an answer, whatever ``limit`` says; None for the API's own.
        unstable_ties: images with the same sort key come in a new order in every answer.
    """

    def __init__(self, world: World, rules: Rules, *, page_cap: int | None = None, unstable_ties: bool = False) -> None:
        self.page_cap = page_cap
        self.unstable_ties = unstable_ties
        self._world = world
        self._rules = rules
        self._orders: dict[Query, _Order] = {}
        self._revision = -1
        self._rng = Random(1)  # noqa: S311 - an order, not a secret

    def page(self, query: Query) -> Page:
        """The page of this query, as of now. Hold the world's lock."""
        order = self._order(query)
        start = query.offset if query.marker is None else order.after(query.marker)
        limit = min(query.limit, self.page_cap or query.limit)
        end = start + limit
        page = order.shuffled(start, end, self._rng) if self.unstable_ties else order.entries[start:end]
        return Page(page, len(order.entries), full=len(page) == limit > 0)

    def _order(self, query: Query) -> _Order:
        if self._revision != self._world.revision or len(self._orders) >= _CACHED:
            self._orders.clear()
            self._revision = self._world.revision
        whole = replace(query, limit=PAGE_LIMIT, offset=0, marker=None)
        if whole not in self._orders:
            self._orders[whole] = _Order(self._rules, self._world, whole)
        return self._orders[whole]


class _Order:
    """All matching images in the order of the query, and the groups of those with the same sort key."""

    def __init__(self, rules: Rules, world: World, query: Query) -> None:
        keys = ((query.sort_key, query.descending), *query.then)
        self._sorters = [(rules.sorter(key), descending) for key, descending in keys]
        found = rules.matching(world, query)
        self.entries = [entry for entry in found if entry.id not in query.hidden] if query.hidden else list(found)
        for sorter, descending in reversed(self._sorters):  # sorting keeps the order of equal ones
            self.entries.sort(key=sorter, reverse=descending)

    def after(self, marker: Entry) -> int:
        """The position of the first image after this one, which need not be in the list itself."""
        places = range(len(self.entries))
        return bisect_left(places, True, key=lambda place: self._comes_after(self.entries[place], marker))  # noqa: FBT003

    def _comes_after(self, entry: Entry, marker: Entry) -> bool:
        for sorter, descending in self._sorters:
            mine, other = sorter(entry), sorter(marker)
            if mine != other:
                return bool(mine < other) is descending
        return False

    @cached_property
    def _groups(self) -> list[int]:
        """For each image the number of its group, counted along the order."""
        values = [[sorter(entry) for sorter, _ in self._sorters] for entry in self.entries]
        changes = (int(after != before) for before, after in pairwise(values))
        return list(accumulate(changes, initial=0))

    def shuffled(self, start: int, end: int, rng: Random) -> Sequence[Entry]:
        """The page, after images with the same sort key changed places, also across the edges of the page."""
        first, last = self._group(start)[0], self._group(min(end, len(self.entries)) - 1)[1]
        rows, position = list(self.entries[first:last]), first
        while position < last:
            _, after = self._group(position)
            tied = rows[position - first : after - first]
            rng.shuffle(tied)
            rows[position - first : after - first] = tied
            position = after
        return rows[start - first : end - first]

    def _group(self, position: int) -> tuple[int, int]:
        if not 0 <= position < len(self.entries):
            return position, position
        group = self._groups[position]
        return bisect_left(self._groups, group), bisect_right(self._groups, group)
