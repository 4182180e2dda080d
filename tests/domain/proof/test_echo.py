"""A cloud that ignores the offset is recognized soon, and none that respects it."""

from __future__ import annotations

import pytest
from listing_model import at

from sync.domain.proof.echo import EchoCheck
from sync.domain.proof.page import Page, Row
from sync.errors import ContractError


def page(offset: int, first: int) -> Page:
    """A page of 50 rows that shows the list from another place than it was asked for."""
    return Page(offset, [Row(str(n), at(n)) for n in range(first, first + 50)], None)


def test_two_repeats_are_enough_at_first() -> None:
    """The second repeat of the first page is an error that names the offset."""
    check = EchoCheck()
    check.check(page(0, 0), 10)
    check.check(page(40, 0), 10)

    assert not check.may_ask(1)
    with pytest.raises(ContractError, match="answers offset 80 with the first page again"):
        check.check(page(80, 0), 10)


def test_a_cloud_that_respected_the_offset_gets_more_patience() -> None:
    """Once a page differed, ten repeats in a row are needed, as a list can change."""
    check = EchoCheck()
    for offset, first in ((0, 0), (40, 40), *((80, 0),) * 9, (120, 120), *((160, 0),) * 9):
        check.check(page(offset, first), 10)

    assert check.may_ask(5)
    with pytest.raises(ContractError):
        check.check(page(160, 0), 10)


def test_a_page_within_the_first_one_is_no_repeat() -> None:
    """A page that begins within the first one, to close a gap, shows many of its rows rightly."""
    check = EchoCheck()
    check.check(page(0, 0), 10)
    for _ in range(5):
        check.check(page(20, 20), 10)

    assert check.echoes == 0
