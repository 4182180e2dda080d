"""How a list is read, whatever pages it has."""

from __future__ import annotations

from typing import Protocol

from sync.domain.proof.page import Page, PageRequest, Piece
from sync.domain.proof.verdict import Verdict


class ListScan(Protocol):
    """One reading: ``ask``, then ``answer`` or ``refused`` for each request, until ``done``; then ``verdict``."""

    def ask(self) -> PageRequest | None:
        """The page to request now, or None if there is none until more answers come."""

    @property
    def done(self) -> bool:
        """Whether all requests are answered and none is left to make."""

    def answer(self, page: Page) -> Piece:
        """Take the answer to a request, and return the piece of the list that it shows.

        Raises:
            ContractError: the list cannot be read.
        """

    def refused(self, request: PageRequest, reason: str) -> None:
        """Take the refusal of a request with a marker; ``reason`` is what the cloud said.

        Raises:
            ContractError: the request has no marker.
        """

    def verdict(self) -> Verdict:
        """The verdict on the reading, once it is done."""
