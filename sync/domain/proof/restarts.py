"""Recognize a cloud that ignores the marker: with it, a reading would never get beyond the first page."""

from __future__ import annotations

from sync.errors import ContractError

_MOST = 4  # consecutive markers after which the cloud is said to ignore them
_MOST_LATER = 10  # needed for that once the cloud has respected a marker: others may be of deleted images


class RestartCheck:
    """Counts consecutive answers that begin at or before their marker."""

    def __init__(self) -> None:
        self._most, self._count = _MOST, 0

    def respected(self) -> None:
        """Note an answer that begins behind its marker."""
        self._most, self._count = _MOST_LATER, 0

    def add(self, marker: str | None) -> None:
        """Note an answer that does not.

        Raises:
            ContractError: the cloud ignores the marker.
        """
        self._count += 1
        if self._count >= self._most:
            raise ContractError(
                f"The cloud answers marker {marker} with images that stand before it, like {self._count - 1} other "
                "markers before: it ignores the marker, so the list cannot be read. Report it to the operator of the "
                "cloud."
            )
