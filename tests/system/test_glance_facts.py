"""Facts of a real Glance that the sync relies on: paging, what its list leaves out, and its answers to errors."""

from __future__ import annotations

import operator
import re
import uuid
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest
from glance_account import GlanceAccount
from glance_server import PAGE_LIMIT, Glance

from sync.domain.apis import APIS

pytest_plugins = ["openstack_fixtures"]

SIZE = PAGE_LIMIT + 3
UNKNOWN = "00000000-0000-4000-8000-000000000000"
ORDER = {"sort_key": "id", "sort_dir": "asc"}
# What a queued image has beside what its owner gave.
NULL = {"size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value"}
FIXED = {
    "status": "queued",
    "visibility": "shared",
    "protected": False,
    "os_hidden": False,
    "min_ram": 0,
    "min_disk": 0,
    "tags": [],
}


@pytest.fixture(scope="module")
def full(glance: Glance) -> GlanceAccount:
    """A member of a project with more images than a page, which no test changes."""
    account = glance.account()
    account.create_many(SIZE)
    return account


def text(answer: httpx.Response) -> str:
    """The one sentence of a page in HTML."""
    assert answer.headers["content-type"] == "text/html; charset=UTF-8"
    found = re.search(r"</h1>\s*(.*?)<br", answer.text, re.DOTALL)
    assert found
    return found.group(1)


def chosen(digit: str) -> str:
    """A new id that begins with this digit."""
    return digit + str(uuid.uuid4())[1:]


def listed(account: GlanceAccount, **query: str) -> set[str]:
    """The ids of one page."""
    return {image["id"] for image in account.page(**query)}


def test_a_higher_limit_is_cut(full: GlanceAccount) -> None:
    """The server gives its own maximum of rows without saying so; `next` repeats the limit that was asked for."""
    body = full.ask("/v2/images", limit=1000, **ORDER).json()
    last = body["images"][-1]["id"]
    assert len(body["images"]) == PAGE_LIMIT
    assert body["next"] == f"/v2/images?limit=1000&sort_key=id&sort_dir=asc&marker={last}"
    assert set(body) == {"images", "first", "next", "schema"}


def test_the_default_limit_is_25(full: GlanceAccount) -> None:
    """Without a limit, a page has 25 rows, the newest image first."""
    images = full.page()
    assert len(images) == 25
    assert [image["created_at"] for image in images] == sorted((image["created_at"] for image in images), reverse=True)


def test_next_leads_to_all_images(full: GlanceAccount, glance: Glance) -> None:
    """Pages in the order of ids, each after the last id of the one before, are strictly sorted and hold all images."""
    target, ids = "/v2/images?limit=1000&sort=id:asc", []
    while target:
        body = full.ask(target).json()
        ids += [image["id"] for image in body["images"]]
        target = body.get("next", "")
    assert all(left < right for left, right in pairwise(ids))
    assert set(ids) == glance.stored(full.project)
    assert len(ids) == SIZE


def test_a_full_page_has_next_even_if_it_is_the_last(account: GlanceAccount) -> None:
    """A page that is full has `next`, and the page after it may be empty, without `next`."""
    first, second = sorted(account.create_many(2))
    full_page = account.ask("/v2/images", limit=2, **ORDER).json()
    assert [image["id"] for image in full_page["images"]] == [first, second]
    assert full_page["next"].endswith(f"marker={second}")
    beyond = account.ask(full_page["next"]).json()
    assert beyond.keys() == {"images", "first", "schema"}
    assert beyond["images"] == []


def test_both_ways_to_name_an_order_are_the_same(full: GlanceAccount) -> None:
    """`sort=id:asc` is `sort_key=id&sort_dir=asc`, and `desc` is its reverse; both ways together are refused."""
    ids = [image["id"] for image in full.page(sort="id:asc", limit=50)]
    assert ids == [image["id"] for image in full.page(limit=50, **ORDER)]
    newest = full.page(sort_key="id", sort_dir="desc", limit=50)
    assert [image["id"] for image in newest] == sorted((image["id"] for image in full.list_all()), reverse=True)[:50]
    both = full.ask("/v2/images", sort="id:asc", sort_key="id")
    assert both.status_code == 400
    assert text(both) == "Old and new sorting syntax cannot be combined"


def test_the_order_by_time_is_not_the_one_that_is_seen(full: GlanceAccount) -> None:
    """Sorted by `created_at` and then by id, images of one second are not sorted by id: the database has finer times."""
    images = full.list_all()
    times = {image["created_at"] for image in images}
    seen = [(image["created_at"], image["id"]) for image in full.page(sort="created_at:asc,id:asc", limit=PAGE_LIMIT)]
    assert len(times) < SIZE / 2
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for time in times)
    assert [time for time, _ in seen] == sorted(time for time, _ in seen)
    assert seen != sorted(seen)


def test_the_owner_is_no_order(full: GlanceAccount) -> None:
    """An unknown key of the order is refused, and the answer names the eight that are known."""
    refused = full.ask("/v2/images", sort="owner:asc")
    assert refused.status_code == 400
    assert text(refused) == (
        "Invalid sort key: owner. It must be one of the following: "
        "name, status, container_format, disk_format, size, id, created_at, updated_at."
    )


@pytest.mark.parametrize(
    ("limit", "status", "sentence"),
    [
        ("0", 200, ""),
        ("-1", 400, "limit param must be positive"),
        ("many", 400, "limit param must be an integer"),
    ],
)
def test_limits_out_of_range(full: GlanceAccount, limit: str, status: int, sentence: str) -> None:
    """No rows are an empty list without `next`; other limits are refused."""
    answer = full.ask("/v2/images", limit=limit)
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"images": [], "first": "/v2/images?limit=0", "schema": "/v2/schemas/images"}
    else:
        assert text(answer) == sentence


def test_an_unknown_parameter_filters_by_a_property(full: GlanceAccount, account: GlanceAccount) -> None:
    """`offset` is no parameter, but a property that no image has: the answer is an empty list."""
    assert full.ask("/v2/images", offset=10).json() == {
        "images": [],
        "first": "/v2/images?offset=10",
        "schema": "/v2/schemas/images",
    }
    tenth = account.create(offset="10")
    assert listed(account, offset="10") == {tenth}


def test_a_deleted_marker_is_refused(account: GlanceAccount, glance: Glance) -> None:
    """A marker that was deleted is an error for a user, in the words of a marker that never was; not for an admin."""
    gone = account.create(id=chosen("1"))
    account.delete(gone)
    for marker in (gone, UNKNOWN):
        refused = account.ask("/v2/images", marker=marker, limit=5, **ORDER)
        assert refused.status_code == 400
        assert text(refused) == f"No image found with ID {marker}"
    following = account.create(id=chosen("f"))
    page = glance.admin.page(marker=gone, owner=account.project, **ORDER)
    assert [image["id"] for image in page] == [following]


def test_a_foreign_marker_is_refused(account: GlanceAccount, glance: Glance) -> None:
    """A marker that the project does not see is an error of its own."""
    foreign = glance.account().create(visibility="private")
    refused = account.ask("/v2/images", marker=foreign, limit=5, **ORDER)
    assert refused.status_code == 403
    assert text(refused) == f"Forbidding request, image {foreign} not visible"


def test_a_marker_that_the_list_leaves_out_works(account: GlanceAccount) -> None:
    """A hidden image, and one outside of the filter, work as markers."""
    low, middle, high = (account.create(id=chosen(digit), name=digit) for digit in "19f")
    account.hide(middle)
    assert listed(account, marker=middle, owner=account.project, **ORDER) == {high}
    assert listed(account, marker=low, name="f", **ORDER) == {high}


def test_hidden_images_are_a_list_of_their_own(account: GlanceAccount) -> None:
    """A hidden image is only in the list of hidden images, and still seen by its id; `id=` does not find it."""
    shown, hidden = account.create(), account.create(os_hidden=True)
    mine = {"owner": account.project}
    assert listed(account, **mine) == listed(account, os_hidden="false", **mine) == {shown}
    assert listed(account, os_hidden="true", **mine) == {hidden}
    assert listed(account, id=hidden) == set()
    assert listed(account, id=hidden, os_hidden="true") == {hidden}
    assert account.show(hidden)["os_hidden"] is True
    assert account.truth(**mine).keys() == {shown, hidden}


def test_one_image_that_is_gone(account: GlanceAccount, glance: Glance) -> None:
    """An image that was deleted, never was, or belongs to others is not found, and the answer names its id."""
    deleted, foreign = account.create(), glance.account().create()
    account.delete(deleted)
    for image in (deleted, UNKNOWN, foreign):
        answer = account.ask(f"/v2/images/{image}")
        assert answer.status_code == 404
        assert text(answer) == f"No image found with ID {image}"
    assert glance.admin.ask(f"/v2/images/{deleted}").status_code == 404
    assert deleted not in glance.admin.truth(visibility="all")


def test_a_path_that_is_not_there(account: GlanceAccount) -> None:
    """A wrong path is not found either, in words that name no image."""
    answer = account.ask("/v2/pictures")
    assert answer.status_code == 404
    assert text(answer) == "The resource could not be found."


@pytest.mark.parametrize("headers", [{}, {"X-Auth-Token": "wrong"}], ids=["none", "wrong"])
def test_without_a_valid_token(glance: Glance, headers: dict[str, str]) -> None:
    """Without a valid token, the answer is HTML that names the identity service, without an id of the request."""
    answer = httpx.get(f"{glance.url}/v2/images", headers=headers, trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'Keystone uri="{glance.keystone.url}"'
    assert text(answer).startswith("This server could not verify that you are authorized")
    assert "x-openstack-request-id" not in answer.headers


@pytest.mark.parametrize("target", ["/v2/images", f"/v2/images/{UNKNOWN}"])
def test_answers_have_the_id_of_their_request(account: GlanceAccount, target: str) -> None:
    """Any other answer has the id of the request in a header."""
    identified = account.ask(target).headers["x-openstack-request-id"]
    assert re.fullmatch(r"req-[0-9a-f-]{36}", identified)


def test_a_queued_image(account: GlanceAccount) -> None:
    """A new image is shared by default; what depends on its data is null."""
    image = account.create(name="new", os_distro="debian")
    shown = account.show(image)
    assert {name for name, value in shown.items() if value is None} == NULL
    assert shown == _given(shown, image) | FIXED | dict.fromkeys(NULL) | {
        "name": "new",
        "owner": account.project,
        "os_distro": "debian",
        "locations": [],
    }


def test_names_may_be_null(account: GlanceAccount) -> None:
    """An image may have no name and no formats."""
    shown = account.show(account.create(name=None, disk_format=None, container_format=None))
    assert {name for name, value in shown.items() if value is None} == NULL | {
        "name",
        "disk_format",
        "container_format",
    }


def test_an_active_image(account: GlanceAccount) -> None:
    """Data makes an image active; its place, which may hold credentials, is shown where the cloud shows it."""
    image = account.create()
    account.upload(image, b"x" * 1000)
    shown = account.show(image)
    assert {name for name, value in shown.items() if value is None} == {"name"}
    assert (shown["status"], shown["size"], shown["os_hash_algo"]) == ("active", 1000, "sha512")
    assert re.fullmatch(r"[0-9a-f]{32}", shown["checksum"])
    assert re.fullmatch(r"[0-9a-f]{128}", shown["os_hash_value"])
    assert shown["stores"] == "files"
    assert shown["direct_url"] == shown["locations"][0]["url"]
    assert {"locations", "direct_url"} == APIS["glance"].never_stored


def test_all_fields_but_properties_are_declared(account: GlanceAccount) -> None:
    """Each field that Glance itself gives is declared, or is never stored."""
    image = account.create(name="declared")
    account.upload(image)
    declared = APIS["glance"].by_name.keys() | APIS["glance"].never_stored
    assert account.show(image).keys() <= declared


def test_properties_are_changed_and_removed(account: GlanceAccount) -> None:
    """A property is text at the top level; tags come in any order, each once."""
    image = account.create(os_distro="debian", tags=["b", "a", "b"])
    account.set(image, os_distro="ubuntu", os_version="24.04")
    shown = account.show(image)
    assert (shown["os_distro"], shown["os_version"]) == ("ubuntu", "24.04")
    assert sorted(shown["tags"]) == ["a", "b"]
    account.remove(image, "os_distro")
    assert "os_distro" not in account.show(image)


def test_ids_are_chosen_in_either_case_and_used_once(account: GlanceAccount) -> None:
    """A creator may choose an id in capitals, which stay; the id of a deleted image can't be chosen again."""
    capitals = chosen("A").upper()
    assert account.create(id=capitals) == capitals
    assert account.show(capitals)["id"] == capitals
    account.delete(capitals)
    with pytest.raises(AssertionError, match="409"):
        account.create(id=capitals)


def test_deactivated_images_are_listed(account: GlanceAccount) -> None:
    """A deactivated image is in the list, with its status."""
    image = account.create()
    account.upload(image)
    account.deactivate(image)
    assert {one["status"] for one in account.page(id=image)} == {"deactivated"}
    account.reactivate(image)
    assert account.show(image)["status"] == "active"


def test_a_shared_image_until_it_is_accepted(account: GlanceAccount, glance: Glance) -> None:
    """A shared image is listed where it was accepted; before, only for those who ask, and by its id."""
    other = glance.account()
    image = other.create()
    others = {"owner": other.project}
    assert account.ask(f"/v2/images/{image}").status_code == 404
    other.share(image, account.project)
    assert listed(account, **others) == set()
    for status in ("pending", "all"):
        assert listed(account, member_status=status, **others) == {image}
        assert listed(account, member_status=status, visibility="shared", **others) == {image}
    assert listed(account, visibility="all", **others) == set()
    assert account.show(image)["owner"] == other.project
    account.accept(image)
    assert listed(account, **others) == listed(account, member_status="all", **others) == {image}


def test_a_shared_image_that_is_taken_back(account: GlanceAccount, glance: Glance) -> None:
    """An image that is no longer shared with the project is not found, although it is still there."""
    other = glance.account()
    image = other.create()
    other.share(image, account.project)
    account.accept(image)
    other.unshare(image, account.project)
    assert account.ask(f"/v2/images/{image}").status_code == 404
    assert image not in account.truth(visibility="all", member_status="all")
    assert image in glance.stored(other.project)


@pytest.fixture
def public(glance: Glance) -> Iterator[str]:
    """A hidden public image, which other tests don't see."""
    image = glance.admin.create(os_hidden=True)
    glance.admin.publicize(image)
    yield image
    glance.admin.delete(image)


def test_hidden_images_of_others(account: GlanceAccount, glance: Glance, public: str) -> None:
    """A hidden image is seen by its id wherever it could be seen if it were not hidden."""
    private = glance.admin.create(os_hidden=True, visibility="private")
    hidden = listed(account, os_hidden="true", limit="1000")
    assert account.show(public)["os_hidden"] is True
    assert account.ask(f"/v2/images/{private}").status_code == 404
    assert public in hidden
    assert private not in hidden


def test_community_images(account: GlanceAccount, glance: Glance) -> None:
    """Another project's community image is seen by its id, and listed with `visibility=all` or `community` only."""
    other = glance.account()
    image = other.create(visibility="community")
    assert image in other.truth()
    assert account.show(image)["visibility"] == "community"
    assert image not in account.truth()
    assert image in account.truth(visibility="all")
    assert image in {one["id"] for one in account.list_all(visibility="community")}
    assert listed(account, id=image) == set()
    assert listed(account, id=image, visibility="all") == {image}


def test_what_an_administrator_sees(account: GlanceAccount, glance: Glance) -> None:
    """An administrator's list has all projects' images, private ones too; community ones only with `visibility=all`."""
    images = {visibility: account.create(visibility=visibility) for visibility in ("private", "shared", "community")}
    hidden = account.create(visibility="private", os_hidden=True)
    usual, all_of_them = glance.admin.truth(), glance.admin.truth(visibility="all")
    assert {images["private"], images["shared"], hidden} <= usual.keys()
    assert images["community"] not in usual
    assert {*images.values(), hidden} <= all_of_them.keys()


def test_a_reader_sees_what_a_member_sees(account: GlanceAccount, glance: Glance) -> None:
    """A user who may only read sees the same images, and can't create any."""
    reader = glance.account(account.project, role="reader")
    account.create(os_hidden=True)
    account.create(visibility="private")
    assert reader.truth() == account.truth()
    with pytest.raises(AssertionError, match="403"):
        reader.create()


def test_the_token_names_project_roles_and_the_address(account: GlanceAccount, glance: Glance) -> None:
    """The token is for the project, with implied roles, and its catalogue has the address of Glance."""
    token = glance.keystone.look_up(account.token)
    endpoints = next(entry["endpoints"] for entry in token["catalog"] if entry["type"] == "image")
    assert token["project"]["id"] == account.project
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}
    assert {endpoint["url"] for endpoint in endpoints if endpoint["interface"] == "public"} == {glance.url}


def _given(shown: dict[str, Any], image: str) -> dict[str, Any]:
    """The fields of each image whose values are its own."""
    times = dict(zip(("created_at", "updated_at"), operator.itemgetter("created_at", "updated_at")(shown), strict=True))
    return times | {
        "id": image,
        "disk_format": "raw",
        "container_format": "bare",
        "self": f"/v2/images/{image}",
        "file": f"/v2/images/{image}/file",
        "schema": "/v2/schemas/image",
    }
