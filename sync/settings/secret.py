"""A value that is never shown."""

import hmac
from collections.abc import Callable
from typing import NoReturn

MASK = "***"


class Secret:
    """Text that only ``reveal`` returns; printing, formatting, JSON and pickle never show it.

    Args:
        value: the text.
        read: reads the file that holds it again; None if it came from elsewhere, or the file has no valid value now.
    """

    __slots__ = ("__read", "__value")

    def __init__(self, value: str, read: Callable[[], str | None] = lambda: None) -> None:
        self.__value, self.__read = value, read

    def reveal(self) -> str:
        """The value itself; pass it straight to where it is needed."""
        return self.__value

    def read_again(self) -> bool:
        """Take the value that its file holds now, from this moment on for all who have this secret.

        Returns:
            Whether it is another one.
        """
        value = self.__read()
        if value is None or value == self.__value:
            return False
        self.__value = value
        return True

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self.__value)

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret can't be stored; store where it can be read instead")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__getstate__()
