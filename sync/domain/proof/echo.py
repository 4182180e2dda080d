"""Recognize a cloud that ignores the offset: with it, a reading would never end."""

from __future__ import annotations

from sync.domain.proof.page import Page
from sync.errors import ContractError

_MOST_ECHOES = 2  # consecutive repeats after which the cloud is said to ignore the offset
_MOST_LATER = 10  # consecutive repeats needed for that once the cloud has respected an offset


class EchoCheck:
    """Compares later pages with the first one.

    Attributes:
        respected: whether another page differed from the first, so that the cloud respects the offset.
        echoes: number of consecutive pages that were like the first.
    """

    def __init__(self) -> None:
        self.respected = False
        self.echoes = 0
        self._first: frozenset[str] | None = None

    def check(self, page: Page, overlap: int) -> None:
        """Take a page in ascending order; the overlap is the number of rows that it may share with the first.

        Raises:
            ContractError: the cloud ignores the offset.
        """
        ids = frozenset(row.id for row in page.rows)
        if self._first is None:
            self._first = ids
        if page.offset < max(len(self._first) - overlap, 1):
            return
        if 2 * len(self._first & ids) <= page.count + overlap:
            self.respected, self.echoes = True, 0
            return
        self.echoes += 1
        if self.echoes == (_MOST_LATER if self.respected else _MOST_ECHOES):
            raise ContractError(
                f"The cloud answers offset {page.offset} with the first page again: it ignores the offset, "
                "so the list cannot be read. Report it to the operator of the cloud."
            )

    def may_ask(self, in_flight: int) -> bool:
        """Whether to request another page already while some requests are not answered."""
        return self.respected or in_flight + self.echoes < _MOST_ECHOES
