"""What a token grants: read leniently, and its catalog searched without a guess."""

from __future__ import annotations

from typing import Any

import pytest

from sync.cloud.auth.grant import Grant, check_same, find_endpoint, read_grant
from sync.domain.scope import Scope
from sync.errors import RejectedError


def service(kind: str, *endpoints: tuple[str, str, str], name: str = "") -> dict[str, Any]:
    """A service of the catalog with addresses of (interface, region, URL)."""
    made = [{"interface": each[0], "region": each[1], "region_id": each[1], "url": each[2]} for each in endpoints]
    return {"type": kind, "name": name, "endpoints": made}


TWO = service(
    "image", ("public", "north", "https://n"), ("internal", "north", "http://n-in"), ("public", "south", "https://s")
)


def found(
    *services: dict[str, Any], types: tuple[str, ...] = ("image",), interface: str = "public", region: str | None = None
) -> str:
    """The address that is found in a catalog."""
    return find_endpoint(read_grant({"catalog": list(services)}).services, types, interface, region)


def test_what_a_token_grants() -> None:
    """Project, distinct roles in order, and services are read."""
    token = {
        "project": {"id": "p1", "name": "demo"},
        "roles": [{"name": "reader"}, {"name": "member"}, {"name": "reader"}],
    }

    assert read_grant(token).scope == Scope("p1", ("member", "reader"))
    assert read_grant({"domain": {"id": "d1"}, "roles": [{"name": "reader"}]}).scope is None


def test_trials_of_the_vendor_are_no_roles() -> None:
    """Huawei Cloud's trials of features come and go among the roles of a token, which does not change its scope."""
    roles = [{"id": "0", "name": name} for name in ("te_admin", "op_gated_eps", "op_gated_cce_switch")]

    assert read_grant({"project": {"id": "p1"}, "roles": roles}).scope == Scope("p1", ("te_admin",))


@pytest.mark.parametrize("odd", [None, 5, "text", [], {}, [5, None, {"name": 7}, {"endpoints": [1, {"url": 5}]}]])
def test_odd_data_grants_nothing(odd: object) -> None:
    """Whatever does not look as documented is left out, without an error."""
    assert read_grant({"project": odd, "roles": odd, "catalog": odd}).scope is None
    assert read_grant({}) == Grant()


def test_the_address_of_the_image_service() -> None:
    """It is the one of its type or, for lack of that, of its name, in the region and interface that are wanted."""
    other = service("compute", ("public", "north", "https://c"), name="nova")
    by_name = service("imageservice", ("public", "north", "https://i"), name="ims")

    assert found(other, TWO, region="south") == "https://s"
    assert found(other, TWO, interface="internal") == "http://n-in"
    assert found(other, by_name, types=("image", "ims")) == "https://i"
    assert found(by_name, TWO, types=("image", "ims"), region="north") == "https://n"


@pytest.mark.parametrize(
    ("services", "options", "words"),
    [
        ([], {}, "gives no service catalog with this token; set endpoint"),
        ([service("compute"), service("", name="odd")], {}, "has no image service, only compute, odd; set endpoint"),
        ([TWO], {}, "in several regions; set region to one of north, south"),
        ([TWO], {"region": "west"}, "no image service in region west; set region to one of north, south"),
        ([TWO], {"interface": "admin"}, "no admin address of the image service (internal, public); set interface"),
        ([service("image")], {}, "no public address of the image service (none)"),
        ([TWO, service("image", ("public", "north", "https://x"))], {"region": "north"}, "2 addresses of the image"),
    ],
)
def test_a_catalog_that_does_not_say(services: list[dict[str, Any]], options: dict[str, str], words: str) -> None:
    """What is missing or unclear is an error that names what there is, and the setting to give."""
    with pytest.raises(RejectedError) as caught:
        found(*services, **options)  # type: ignore[arg-type] # options of one type

    assert words in str(caught.value)


def test_another_scope_ends_the_run() -> None:
    """Another project, other roles or none are an error that shows both."""
    first = Scope("p1", ("member",))
    check_same(first, Scope("p1", ("member",)))
    for other in (Scope("p2", ("member",)), Scope("p1", ("reader",)), None):
        with pytest.raises(RejectedError, match="from project=p1&roles=member to") as caught:
            check_same(first, other)
        assert (other.text() if other else "no project") in str(caught.value)
