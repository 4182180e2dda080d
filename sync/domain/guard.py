"""The plan of a run, and the guard that decides whether its deletions may go through.

The guard sees the numbers of the whole run before the first row is written. It holds deletions and nothing else: new
and changed images are written in any case.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be removed without a person's approval; removals are held if they exceed both numbers of a pair.

    Removed are images that were deleted, and those of other projects that are no longer visible.

    Attributes:
        images: removals in one run.
        percent: the same, in percent of the live images.
        day_images: removals in 24 hours, those of earlier runs included.
        day_percent: the same, in percent of the live images and those removed in that time.
    """

    images: int = 10
    percent: float = 20
    day_images: int = 10
    day_percent: float = 20


@dataclass(frozen=True, slots=True)
class Candidates:
    """The images that are gone, by confirmation or by the list's own word, as numbers, beside those of the inventory.

    Attributes:
        live: live images of the source before this run.
        gone: images that are gone, approved ones not counted.
        waiting: those of them that an earlier run withheld.
        approved: images confirmed gone and approved by a person.
        day: images removed within the last 24 hours by earlier runs, without approval.
        listed: distinct images that the list showed.
    """

    live: int
    gone: int
    waiting: int = 0
    approved: int = 0
    day: int = 0
    listed: int = 0


def withhold(candidates: Candidates, limits: Limits) -> tuple[int, str]:
    """Decide how many deletions of a run to hold: all unapproved ones if the guard objects, else those held before.

    A deletion that was held once waits for approval, even if few of them remain.

    Returns:
        How many, and the reason in words; 0 and "" if all may go through.
    """
    if reason := guard(candidates, limits):
        return candidates.gone, reason
    waiting = candidates.waiting
    if waiting == 1:
        return 1, "1 deletion that was withheld waits for approval"
    return waiting, f"{waiting} deletions that were withheld wait for approval" if waiting else ""


def guard(candidates: Candidates, limits: Limits) -> str:
    """Decide on the deletions of a run as a whole.

    Returns:
        "" if they may go through, else the reason to hold them, in words.
    """
    if not candidates.gone:
        return ""
    if not candidates.listed and candidates.live:
        return f"the list is empty, and {candidates.live} images are live: an empty list is never believed"
    if reason := _excess(candidates.gone, candidates.live, "are gone", limits.images, limits.percent):
        return reason
    gone, live = candidates.gone + candidates.day, candidates.live + candidates.day
    return _excess(gone, live, "went within 24 hours", limits.day_images, limits.day_percent)


def _excess(gone: int, live: int, what: str, images: int, percent: float) -> str:
    """A sentence if more images are gone than either limit allows, else ""."""
    if gone <= images or gone * 100 <= live * percent:
        return ""
    return f"{gone} of {live} images {what}: more than {images} and more than {percent:g} %"


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes that a run makes to the inventory, as numbers of images.

    Attributes:
        created: seen for the first time.
        updated: live, with a different content than before.
        restored: deleted or invisible before, and listed again.
        deleted: to be marked as deleted.
        invisible: of another project, and no longer visible.
        approved: of the deleted and invisible: those released by a person.
        held: gone, but withheld by the guard.
        quarantined: contradictory records found while staging.
        reason: why deletions are withheld, or "".
        outdated: versions closed because their image was updated.
    """

    created: int = 0
    updated: int = 0
    restored: int = 0
    deleted: int = 0
    invisible: int = 0
    held: int = 0
    quarantined: int = 0
    reason: str = ""
    approved: int = 0
    outdated: int = 0

    @property
    def changes(self) -> int:
        """Number of images that change."""
        return self.created + self.updated + self.restored + self.removed

    @property
    def removed(self) -> int:
        """Number of images that leave the inventory's live ones."""
        return self.deleted + self.invisible
