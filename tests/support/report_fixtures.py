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
    with Edge(server, 60) as edge:
        edge.world.put(image("open", visibility="private"))
        edge.run()
        edge.world.change(4)
        edge.world.create(3)
        gone = edge.world.delete(5)
        edge.world.put(image("open", visibility="public"))
        edge.run()
        edge.world.restore(2)
        edge.world.put(image("nasty", name=NASTY))
        edge.run()
        edge.run()
        assert gone
        yield edge
