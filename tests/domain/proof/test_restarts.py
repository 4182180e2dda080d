"""A cloud that ignores the marker is recognized."""

from __future__ import annotations

import pytest

from sync.domain.proof.restarts import RestartCheck
from sync.errors import ContractError


@pytest.mark.parametrize(("respected", "most"), [(False, 4), (True, 10)])
def test_restarts_in_a_row_are_counted(respected: bool, most: int) -> None:  # noqa: FBT001 - a table
    """Once a marker was respected, more of them may be of deleted images."""
    check = RestartCheck()
    check.add("a")
    if respected:
        check.respected()
    for number in range(most - (1 if respected else 2)):
        check.add(str(number))

    with pytest.raises(ContractError, match=f"answers marker z .* like {most - 1} other markers .* ignores the marker"):
        check.add("z")
