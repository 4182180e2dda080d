"""What an API declares fits together, and gives the queries of pages and look-ups."""

from __future__ import annotations

import pytest

from sync.domain.apis import APIS, GLANCE, IEC, IMS
from sync.domain.apis.api import Api
from sync.domain.fields import COLUMNS, IMAGE_COLUMNS, Kind
from sync.domain.proof.page import PageRequest

HELD = {Kind.FLAG: Kind.BOOLEAN, Kind.NUMERAL: Kind.INTEGER}  # a column's kind, where it is not the field's
each_api = pytest.mark.parametrize("api", APIS.values(), ids=APIS)


@each_api
def test_fields_have_columns_of_their_type(api: Api) -> None:
    """Each field has a column of its type and its own, or a meaning, as it has no column that says it."""
    kinds = {column.name: column.kind for column in IMAGE_COLUMNS}

    assert [field.api for field in api.fields if not (field.column or field.meaning)] == []
    assert {f.api: kinds[f.column] for f in api.fields if f.column} == {
        f.api: HELD.get(f.kind, f.kind) for f in api.fields if f.column
    }
    assert len({place for place, _ in api.stored}) == len(api.stored)
    assert len({field.api for field in api.fields}) == len(api.fields)


@each_api
def test_every_api_has_what_the_job_needs(api: Api) -> None:
    """The columns that decide whether an image is live, ours, newer or moved are in each API."""
    assert {"id", "status", "owner", "created_at", "updated_at", "visibility"} <= {COLUMNS[n] for n, _ in api.stored}


@each_api
def test_paging_is_no_filter(api: Api) -> None:
    """No source may page or sort by its filter."""
    assert not api.filters.keys() & {"limit", "offset", "marker", "sort", "sort_key", "sort_dir"}


@each_api
def test_what_may_hold_credentials_is_no_field(api: Api) -> None:
    """A field that is never stored has no column."""
    assert not api.never_stored & api.by_name.keys()


def test_a_page_by_offset() -> None:
    """A page of IEC is asked for by its offset, in the order of creation, with the filter."""
    query = IEC.page_query({"visibility": "private"}, PageRequest(490))

    assert query == {
        "visibility": "private",
        "sort_key": "created_at",
        "sort_dir": "asc",
        "limit": "500",
        "offset": "490",
    }
    assert IEC.page_query({}, PageRequest(0, descending=True))["sort_dir"] == "desc"


def test_a_page_by_marker() -> None:
    """A page of Glance is asked for by its marker, in the order of ids; the first one has none."""
    by_id = {"sort_key": "id", "sort_dir": "asc", "limit": "1000"}

    assert GLANCE.page_query({}, PageRequest(part="visible")) == by_id
    assert GLANCE.page_query({}, PageRequest(marker="a", part="hidden")) == by_id | {"os_hidden": "true", "marker": "a"}
    assert IMS.page_query({}, PageRequest(marker="a", part="unregistered again")) == {
        "sort_key": "id",
        "sort_dir": "asc",
        "limit": "500",
        "__isregistered": "false",
        "marker": "a",
    }


def test_hidden_images_are_read_before_and_after_the_others() -> None:
    """An image that is hidden or shown while the lists are read is in one of them."""
    assert [part.name for part in GLANCE.parts_of({})] == ["hidden", "visible", "hidden again"]
    assert [part.name for part in IMS.parts_of({})] == ["unregistered", "registered", "unregistered again"]
    assert len({part.name for part in GLANCE.parts}) == 3
    assert [part.query for part in IEC.parts_of({})] == [()]


def test_a_filter_may_choose_the_part() -> None:
    """Where the filter itself says which of the part-lists is meant, only that is read, as it says."""
    assert [part.query for part in GLANCE.parts_of({"os_hidden": "false"})] == [()]
    assert GLANCE.page_query({"os_hidden": "true"}, PageRequest())["os_hidden"] == "true"


def test_an_image_is_looked_up_without_the_filter() -> None:
    """What hides an image from a list does not hide it from a look-up; only how far credentials reach stays."""
    assert IEC.lookup_queries({"visibility": "private"}, "a") == [{"id": "a"}]
    registered, unregistered = {"id": "a"}, {"id": "a", "__isregistered": "false"}
    assert IMS.lookup_queries({"__os_type": "Linux"}, "a") == [registered, unregistered, registered]
    assert IMS.lookup_queries({"enterprise_project_id": "0"}, "a")[0] == {
        "id": "a",
        "enterprise_project_id": "all_granted_eps",
    }


def test_a_look_at_everything_reaches_as_far_as_a_look_up() -> None:
    """A second list has what a look-up by id would find: community images of other projects, and shared ones."""
    for filter in ({}, {"visibility": "community"}, {"member_status": "pending", "name": "x"}):
        assert GLANCE.unfiltered(filter) == {"visibility": "all", "member_status": "all"}


def test_a_look_at_everything_keeps_how_far_the_credentials_reach() -> None:
    """Without the filter, a list holds at least the images that it holds with it."""
    assert IEC.unfiltered({"visibility": "private"}) == {}
    assert IMS.unfiltered({"name": "x"}) == {}
    assert IMS.unfiltered({"enterprise_project_id": "0", "name": "x"}) == {"enterprise_project_id": "all_granted_eps"}
