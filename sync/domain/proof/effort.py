"""The requests of one reading of a list by marker, and their limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Effort:
    """The effort of one reading.

    Attributes:
        limit: rows that are requested per page.
        max_images: number of rows after which a list is given up.
        max_gap_requests: pages that may be requested to close gaps.
        pages: number of pages requested.
        largest: rows of the largest answer.
        new: number of rows that were new, at least.
        gap_requests: number of pages requested to close gaps.
        refused: number of markers that were refused, or answered from the beginning of the list.
    """

    limit: int
    max_images: int
    max_gap_requests: int
    pages: int = 0
    largest: int = 0
    new: int = 0
    gap_requests: int = 0
    refused: int = 0

    @property
    def spent(self) -> bool:
        """Whether no more pages may be requested to close gaps."""
        return self.gap_requests >= self.max_gap_requests

    @property
    def exhausted(self) -> bool:
        """Whether no more pages may be requested at all: twice as many as the longest list fills, and some."""
        most = 2 * self.max_images // (self.largest or self.limit) + self.max_gap_requests + 10
        return self.pages >= most or self.new > self.max_images
