"""Where an answer says that the next page is, nobody is asked: its address is the cloud's word, and no more."""

from __future__ import annotations

import pytest
from cloud_tools import Reader
from effects import next_page
from fault_rules import FaultySimulator
from http_server import HttpServer, always, reply

from sync.domain.apis import GLANCE
from sync.simulator import World


@pytest.mark.parametrize("link", ["{elsewhere}/v2/images?marker=x", "//evil.example/v2/images", "/v2/other", ""])
def test_next_is_never_followed(link: str) -> None:
    """The whole list is read from the endpoint, page by page, and the token goes nowhere else."""
    with (
        HttpServer(always(reply({"images": []}))) as elsewhere,
        FaultySimulator(World(3, 300, api="glance"), page_cap=50) as cloud,
    ):
        cloud.faults.add(next_page(link.format(elsewhere=elsewhere.url)), times=None)
        reader = Reader.of(cloud, api=GLANCE)
        reading = reader.read()

        assert reading.verdict.complete
        assert set(reader.rows) == set(cloud.world.truth())
        assert elsewhere.connections == 0
