"""``GET /v2/images`` and ``GET /v2/images/{id}`` of the simulated Glance, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from simulator_client import ask, ids, send

from sync.simulator import ADMIN_ROLES, PROJECT, Simulator, Viewer, World

LIST = "/v2/images"
OTHER = "f" * 32


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A cloud of 300 images that the project sees, and some that it does not see."""
    with Simulator(World(1, 300, api="glance")) as simulator:
        yield simulator


@pytest.fixture
def small() -> Iterator[Simulator]:
    """A cloud of 30 images, to be changed."""
    with Simulator(World(2, 30, api="glance")) as simulator:
        yield simulator


def walk(simulator: Simulator, **query: object) -> list[dict[str, Any]]:
    """All images of a list, by its links."""
    images, target = [], ask(simulator, LIST, **query)
    while True:
        images += target.json["images"]
        if "next" not in target.json:
            return images
        target = ask(simulator, target.json["next"])


def image(number: int, **fields: object) -> dict[str, object]:
    """An image of the project with a known id."""
    usual = {"id": f"{number:08x}-0000-4000-8000-000000000000", "name": str(number), "status": "active"}
    usual |= {"owner": PROJECT, "visibility": "private", "os_hidden": False}
    return {**usual, "created_at": f"2024-01-01T00:00:{number:02}Z", "updated_at": "2024-01-02T00:00:00Z", **fields}


def message(body: bytes) -> str:
    """The sentence of an error, as its page has it."""
    return re.search(r"</h1>\n(.*)<br />", body.decode())[1]


def test_links_lead_through_the_whole_list(simulator: Simulator) -> None:
    """Page after page by ``next`` gives each image that is not hidden once, and the others are a list of their own."""
    truth = simulator.world.truth()
    usual, hidden = walk(simulator, limit=40), walk(simulator, limit=40, os_hidden="true")

    assert {image["id"]: image for image in usual + hidden} == truth
    assert len(usual + hidden) == len(truth) == 300
    assert {image["os_hidden"] for image in hidden} == {True}
    assert len(hidden) > 3


def test_next_stands_after_each_full_page(small: Simulator) -> None:
    """``next`` keeps the parameters and moves the marker; it stands even if nothing follows, and not after a part."""
    number = len(walk(small))
    whole = ask(small, LIST, limit=number, sort="id:asc")
    after = ask(small, whole.json["next"])

    assert whole.json["first"] == f"{LIST}?limit={number}&sort=id%3Aasc"
    assert whole.json["next"] == f"{whole.json['first']}&marker={ids(whole)[-1]}"
    assert whole.json["schema"] == "/v2/schemas/images"
    assert (after.json["images"], "next" in after.json, after.json["first"]) == ([], False, whole.json["first"])
    assert "next" not in ask(small, LIST, limit=number + 1).json
    assert ask(small, LIST, limit=number + 1, os_hidden="True").status == 200


def test_limits_are_cut_without_a_word(simulator: Simulator) -> None:
    """25 rows by default, none for 0, at most the server's own number, and a ``next`` after a page that was cut."""
    zero = ask(simulator, LIST, limit=0)
    simulator.listing.page_cap = 7
    cut = ask(simulator, LIST, limit=5000)
    simulator.listing.page_cap = None

    assert len(ids(ask(simulator, LIST))) == 25
    assert (zero.status, zero.json["images"], "next" in zero.json) == (200, [], False)
    assert len(ids(cut)) == 7
    assert cut.json["next"] == f"{LIST}?limit=5000&marker={ids(cut)[-1]}"


def test_the_largest_page_is_a_thousand() -> None:
    """A limit above 1000 gives 1000 images."""
    with Simulator(World(1, 0, api="glance")) as simulator:
        for number in range(1100):
            simulator.world.put(image(number, created_at="2024-01-01T00:00:00Z"))
        page = ask(simulator, LIST, limit=2000)

    assert len(ids(page)) == 1000
    assert page.json["next"].startswith(f"{LIST}?limit=2000&marker=")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"limit": "-1"}, "positive"),
        ({"limit": "ten"}, "integer"),
        ({"limit": ""}, "integer"),
        ({"sort_key": "owner"}, "sort key"),
        ({"sort_dir": "up"}, "sort direction"),
        ({"sort": "id:up"}, "sort direction"),
        ({"sort": "id:asc", "sort_key": "id"}, "sorting"),
        ({"visibility": "mine"}, "visibility"),
        ({"member_status": "new"}, "status"),
        ({"os_hidden": "maybe"}, "os_hidden"),
        ({"created_at": "gt:yesterday"}, "created_at"),
        ({"size_min": "big"}, "range"),
        ({"marker": "nowhere"}, "No image found with ID nowhere"),
    ],
)
def test_bad_parameters_are_web_pages(simulator: Simulator, query: dict[str, object], said: str) -> None:
    """What Glance refuses it answers with 400 and a web page that says why."""
    reply = ask(simulator, LIST, **query)

    assert reply.status == 400
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.body.startswith(b"<html>")
    assert said in message(reply.body)


def test_two_orders_at_once_are_refused_but_not_two_keys(simulator: Simulator) -> None:
    """``sort_key`` may be there twice, with one direction or two, but not with three."""
    pair = "sort_key=status&sort_key=id"

    assert ask(simulator, f"{LIST}?{pair}&sort_dir=asc").status == 200
    assert ask(simulator, f"{LIST}?{pair}&sort_dir=asc&sort_dir=desc").status == 200
    assert ask(simulator, f"{LIST}?{pair}&sort_dir=asc&sort_dir=desc&sort_dir=asc").status == 400


def test_the_order_by_id_is_strict(simulator: Simulator) -> None:
    """Sorted by id, up or down, in either way of asking, each id is beyond the one before."""
    up = [image["id"] for image in walk(simulator, limit=33, sort="id:asc")]
    down = [image["id"] for image in walk(simulator, limit=33, sort_key="id", sort_dir="desc")]

    assert up == sorted(set(up))
    assert down == up[::-1]


def test_dates_are_sorted_finer_than_they_are_shown() -> None:
    """Images of one second have an order that their documents do not show, and it is not that of their ids."""
    with Simulator(World(1, 0, api="glance")) as simulator:
        for number in range(40):
            simulator.world.put(image(number, created_at="2024-01-01T00:00:00Z"))
        order = ids(ask(simulator, LIST, limit=50, sort="created_at:asc,id:asc"))

        assert order == ids(ask(simulator, LIST, limit=50, sort="created_at:asc,id:desc"))
        assert order == ids(ask(simulator, LIST, limit=50))[::-1]
        assert sorted(order) != order


def test_sizes_are_sorted_as_numbers_with_creation_behind() -> None:
    """Sizes are sorted as numbers, and images of one size by creation, newest first unless one direction is named."""
    with Simulator(World(1, 0, api="glance")) as simulator:
        for number, size in enumerate((10, 9, 10, None)):
            simulator.world.put(image(number, size=size))

        assert [row["name"] for row in walk(simulator, sort_key="size", sort_dir="asc")] == ["3", "1", "0", "2"]
        assert [row["name"] for row in walk(simulator, sort="size:asc")] == ["3", "1", "2", "0"]


def test_a_marker_that_is_gone_is_refused(small: Simulator) -> None:
    """A deleted marker is 400 and named; one that another project hides from this one is 403."""
    first = ids(ask(small, LIST, limit=5, sort="id:asc"))
    small.world.delete(ids=[first[-1]])
    gone = ask(small, LIST, limit=5, sort="id:asc", marker=first[-1])
    foreign = small.world.put(image(1, owner=OTHER))
    private = ask(small, LIST, limit=5, marker=foreign)

    assert (gone.status, message(gone.body)) == (400, f"No image found with ID {first[-1]}")
    assert private.status == 403


def test_a_marker_need_not_be_in_the_list(small: Simulator) -> None:
    """A hidden marker, one outside the filter and a community one of others work: the page begins after its place."""
    listed = [image["id"] for image in walk(small, sort="id:asc")]
    middle = listed[len(listed) // 2]
    own = [name for name in listed if small.world.truth()[name]["owner"] == PROJECT]
    marker = own[len(own) // 2]
    small.world.hide(ids=[marker])
    community = small.world.put(image(0x80000000, owner=OTHER, visibility="community"))
    after_hidden = ids(ask(small, LIST, sort="id:asc", marker=marker))
    after_community = ids(ask(small, LIST, sort="id:asc", marker=community))
    queued = ids(ask(small, LIST, sort="id:asc", status="queued", marker=middle))

    assert after_hidden == [name for name in listed if name > marker][:25]
    assert after_community == [name for name in listed if name > community and name != marker][:25]
    assert all(name > middle for name in queued)


def test_the_marker_holds_its_place_when_others_come_and_go(small: Simulator) -> None:
    """Whatever happens between two pages, the second begins right after the marker."""
    page = ids(ask(small, LIST, limit=10, sort="id:asc"))
    small.world.delete(ids=page[:4])
    small.world.create(5)
    after = ids(ask(small, LIST, limit=100, sort="id:asc", marker=page[-1]))

    assert after == sorted(
        name for name, row in small.world.truth().items() if name > page[-1] and not row["os_hidden"]
    )


def test_unknown_parameters_are_properties(simulator: Simulator) -> None:
    """A property selects images by its value; ``offset``, which none has, gives 200 and an empty list."""
    debian = walk(simulator, os_distro="debian")
    nothing = ask(simulator, LIST, offset=10)

    assert {row["os_distro"] for row in debian} == {"debian"}
    assert len(debian) == sum(
        row.get("os_distro") == "debian" and not row["os_hidden"] for row in simulator.world.truth().values()
    )
    assert (nothing.status, nothing.json["images"]) == (200, [])
    assert ask(simulator, LIST, self=debian[0]["self"]).json["images"] == []


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"status": "queued"}, lambda row: row["status"] == "queued"),
        ({"status": "in:queued,saving"}, lambda row: row["status"] in {"queued", "saving"}),
        ({"protected": "true"}, lambda row: row["protected"] is True),
        ({"min_disk": 20}, lambda row: row["min_disk"] == 20),
        ({"tag": "golden"}, lambda row: "golden" in row["tags"]),
        ({"visibility": "private"}, lambda row: row["visibility"] == "private"),
        ({"owner": PROJECT}, lambda row: row["owner"] == PROJECT),
        ({"size_min": 4 << 30}, lambda row: (row["size"] or 0) >= 4 << 30),
        ({"size_max": 1 << 30}, lambda row: row["size"] is not None and row["size"] <= 1 << 30),
        ({"created_at": "gte:2023-01-01T00:00:00Z"}, lambda row: row["created_at"] >= "2023-01-01"),
        ({"updated_at": "lt:2023-01-01T00:00:00Z"}, lambda row: row["updated_at"] < "2023-01-01"),
    ],
)
def test_filters_select(simulator: Simulator, query: dict[str, object], fits: Any) -> None:
    """Each filter gives exactly the images of the usual list that it describes."""
    expected = {name for name, row in simulator.world.truth().items() if fits(row) and not row["os_hidden"]}

    assert {row["id"] for row in walk(simulator, limit=100, **query)} == expected
    assert 0 < len(expected) < 290


def test_community_images_of_others_need_all(small: Simulator) -> None:
    """Another project's community image is listed with visibility all or community only, and can be asked for by id."""
    name = small.world.put(image(1, owner=OTHER, visibility="community"))
    mine = small.world.put(image(2, visibility="community"))
    listed = {name_: [row["id"] for row in walk(small, **query)] for name_, query in SHOWN.items()}

    assert {key for key, rows in listed.items() if name in rows} == {"all", "community"}
    assert {key for key, rows in listed.items() if mine in rows} == {"usual", "all", "community"}
    assert ask(small, f"{LIST}/{name}").status == 200
    assert ask(small, LIST, id=name).json["images"] == []
    assert ids(ask(small, LIST, id=mine)) == [mine]
    assert name not in small.world.truth()


SHOWN: dict[str, dict[str, object]] = {
    "usual": {},
    "all": {"visibility": "all"},
    "community": {"visibility": "community"},
    "public": {"visibility": "public"},
}


def test_shares_that_are_not_accepted_need_their_status(small: Simulator) -> None:
    """A pending share is listed with member_status pending or all only; it can be asked for by id."""
    (name,) = small.world.share(status="pending")
    listed = {status: name in {row["id"] for row in walk(small, member_status=status)} for status in STATUSES}

    assert name not in {row["id"] for row in walk(small)}
    assert listed == {"accepted": False, "pending": True, "rejected": False, "all": True}
    assert ask(small, f"{LIST}/{name}").json["id"] == name


STATUSES = ("accepted", "pending", "rejected", "all")


def test_killed_and_deleted_images_are_never_listed(small: Simulator) -> None:
    """An image that was deleted, or is marked so, is in no list, not even in that of its status."""
    (gone,) = small.world.delete()
    for number, status in enumerate(("killed", "deleted")):
        small.world.put(image(number, status=status))
        assert ask(small, LIST, status=status).json["images"] == []
    rows = walk(small, visibility="all", member_status="all")

    assert {gone, image(0)["id"], image(1)["id"]}.isdisjoint(row["id"] for row in rows)
    assert ask(small, f"{LIST}/{gone}").status == 404


def test_an_image_can_be_asked_for_by_its_id(small: Simulator) -> None:
    """200 and the image, hidden or deactivated too; 404 and a web page for one that is not there or not to be seen."""
    (hidden,), (idle,) = small.world.hide(), small.world.deactivate()
    foreign = small.world.put(image(1, owner=OTHER))
    missing, forbidden = ask(small, f"{LIST}/nowhere"), ask(small, f"{LIST}/{foreign}")

    assert ask(small, f"{LIST}/{hidden}").json == small.world.truth()[hidden]
    assert ask(small, f"{LIST}/{idle}").json["status"] == "deactivated"
    assert idle in {row["id"] for row in walk(small)} | {row["id"] for row in walk(small, os_hidden="true")}
    assert (missing.status, message(missing.body)) == (404, "No image found with ID nowhere")
    assert (forbidden.status, message(forbidden.body)) == (404, f"No image found with ID {foreign}")


def test_id_finds_no_hidden_image(small: Simulator) -> None:
    """``id=`` and ``id=in:`` find listed images only."""
    (hidden,) = small.world.hide()
    shown = ids(ask(small, LIST, limit=2))

    assert ask(small, LIST, id=hidden).json["images"] == []
    assert set(ids(ask(small, LIST, id=f"in:{hidden},{shown[0]},{shown[1]}"))) == set(shown)
    assert ids(ask(small, LIST, id=hidden, os_hidden="true")) == [hidden]


def test_an_administrator_sees_all_projects(small: Simulator) -> None:
    """With the role admin, private and shared images of all projects are listed, community ones with visibility all."""
    names = [
        small.world.put(image(number, owner=OTHER, visibility=seen), status="rejected")
        for number, seen in enumerate(("private", "shared", "community"))
    ]
    before = {row["id"] for row in walk(small)}
    small.identity.viewer = Viewer(roles=ADMIN_ROLES)
    usual, every = ({row["id"] for row in walk(small, **query)} for query in ({}, {"visibility": "all"}))

    assert before.isdisjoint(names)
    assert usual & set(names) == set(names[:2])
    assert set(names) <= every
    assert ask(small, f"{LIST}/{names[0]}").status == 200
    assert small.world.truth(Viewer(roles=ADMIN_ROLES)).keys() >= usual


def test_wrong_tokens_get_a_challenge(simulator: Simulator) -> None:
    """Without a valid token: 401, a web page, and a header that names the identity service."""
    for reply in (send(simulator.url, "GET", LIST, {}), ask(simulator, f"{LIST}/x", token="wrong")):
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"] == f'Keystone uri="{simulator.url}/identity"'
        assert message(reply.body) == "The request you have made requires authentication."


def test_every_response_has_an_id(simulator: Simulator) -> None:
    """The id of a request is in a header with OpenStack's name and form, and in the journal."""
    replies = [ask(simulator, LIST), ask(simulator, f"{LIST}/x"), ask(simulator, "/nowhere")]
    noted = [event.detail["request_id"] for event in simulator.journal.answers()][-2:]

    names = [reply.headers["x-openstack-request-id"] for reply in replies]
    assert names[:2] == noted
    assert len({name for name in names if re.fullmatch(r"req-[0-9a-f-]{36}", name)}) == 3
    assert {reply.headers["X-Request-Id"] for reply in replies} == {None}


def test_other_paths_are_not_found(simulator: Simulator) -> None:
    """The versions are at the root; all other paths, those of the other APIs too, are 404."""
    versions = ask(simulator, "/")

    assert versions.status == 300
    assert versions.json["versions"][0]["links"][0]["href"] == f"{simulator.url}/v2/"
    assert {ask(simulator, path).status for path in ("/v1/images", "/v2/cloudimages", "/v2")} == {404}
    assert send(simulator.url, "POST", LIST, {"X-Auth-Token": simulator.token}, b"{}").status == 404
