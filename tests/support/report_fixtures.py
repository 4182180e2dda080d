"""An inventory in which everything that a report shows has happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from builders import image
from report_tools import NASTY
from servers import Server
from store_tools import Edge


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """Runs with a first load, changes of all kinds, an exposed image, a nasty name, and no change."""
    with Edge(server, 60) as made:
        made.world.put(image("open", visibility="private"))
        made.run()
        made.world.change(4)
        made.world.create(3)
        gone = made.world.delete(5)
        made.world.put(image("open", visibility="public"))
        made.run()
        made.world.restore(2)
        made.world.put(image("nasty", name=NASTY))
        made.run()
        made.run()
        assert gone
        yield made
