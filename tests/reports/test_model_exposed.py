"""What a report says exposes an image is what ``inventory.exposure_changes`` calls widened."""

from __future__ import annotations

from itertools import product

import pytest
from builders import image
from servers import Server
from store_tools import Edge

from sync.reports.model import FieldChange
from sync.store.queries.inventory import inventory
from sync.store.queries.reports import ReportQueries

VISIBILITIES = ["private", "shared", "community", "public", "odd", ...]
ARM, X86 = {"architecture": "aarch64"}, {"architecture": "x86_64"}


def test_a_report_and_the_database_agree(server: Server) -> None:
    """They agree on every change of visibility and protection, of values that no document names, too."""
    with Edge(server, 0) as edge:
        steps = [("visibility", *step) for step in product(VISIBILITIES, VISIBILITIES)]
        steps += [("protected", *step) for step in product([True, False, ...], repeat=2)]
        for which in (1, 2):
            for number, step in enumerate(steps):
                edge.world.put(image(f"x-{number}", **{step[0]: step[which]}))
            edge.run()
        rows = edge.rows("SELECT field, old, new, exposure FROM inventory.exposure_changes")

    assert len(rows) == 6 * 5 + 3 * 2
    assert [row for row in rows if FieldChange(*row[:3]).exposes != (row[3] == "widened")] == []


@pytest.mark.parametrize(
    ("fields", "shares"),
    [
        ({"os_type": "linux", "os_distro": "ubuntu", **ARM}, ("Linux", "ubuntu", "ARM")),
        ({"os_type": "windows", "os_distro": "windows", **X86}, ("Windows", "windows", "x86")),
        ({"architecture": "ppc64le"}, ("not given", "not given", "ppc64le")),
        ({}, ("not given", "not given", "not given")),
        ({"os_type": 7, "os_distro": {"a": 1}}, ("not given", "not given", "not given")),
        ({"__os_type": "Linux", "__platform": "CentOS", "__imagetype": "gold"}, ("Linux", "CentOS", "x86")),
        ({"__imagetype": "gold", "__support_arm": "true"}, ("not given", "not given", "ARM")),
    ],
)
def test_shares_of_all_apis(server: Server, fields: dict[str, object], shares: tuple[str, ...]) -> None:
    """Operating system and architecture are counted wherever an API has them; what it does not say is not made up."""
    bare = dict.fromkeys(("__os_type", "__platform", "__imagetype", "__support_arm"), ...)
    with Edge(server, 0) as edge:
        edge.world.put(image("x", **(bare | fields)))
        edge.run()
        with inventory(edge.target) as reader:
            moment = reader.settled()
            found = ReportQueries(reader, moment, moment, None).shares()

    assert tuple(next(iter(found[name])) for name in ("os_type", "platform", "architecture")) == shares
