"""The documents of the three APIs' images: their fields, the shapes of the values, and what changes do to them."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from sync.domain.apis import APIS, GLANCE, IMS
from sync.domain.apis.api import Api
from sync.domain.fields import Field, Kind
from sync.simulator import PROJECT, START, World
from sync.simulator.catalog import Document, stamp
from sync.simulator.images import CATALOGS
from sync.simulator.images.glance import ATTRIBUTES

API = pytest.mark.parametrize("api", [IMS, GLANCE], ids=lambda api: api.name)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def images(api: Api, size: int = 2000) -> list[Document]:
    """The images of a world in which some days passed."""
    world = World(3, size, api=api.name)
    for _ in range(3):
        world.churn(10)
    return list(world.truth().values())


def has_shape(field: Field, value: object) -> bool:
    """Whether a value is written as the API writes this field."""
    shapes = {
        Kind.TEXT: isinstance(value, str),
        Kind.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        Kind.NUMERAL: isinstance(value, str) and value.isdigit(),
        Kind.BOOLEAN: isinstance(value, bool),
        Kind.FLAG: isinstance(value, str) and value.lower() in {"true", "false"},
        Kind.TIME: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(value)) is not None,
        Kind.TAGS: isinstance(value, list) and all(isinstance(tag, str) for tag in value),
    }
    return shapes[field.kind]


def test_every_api_has_images() -> None:
    """For each API there is a catalog."""
    assert CATALOGS.keys() == APIS.keys()


def test_ims_writes_nearly_all_of_its_fields() -> None:
    """All documented fields of IMS occur in some images, and no others."""
    seen = set().union(*images(IMS))

    assert seen == {field.api for field in IMS.fields}


@API
def test_values_have_the_shapes_of_the_document(api: Api) -> None:
    """Each value is written as its field is: booleans and numbers as text where the API does so."""
    wrong = {
        (field.api, str(value))
        for image in images(api)
        for field in api.fields
        if (value := image.get(field.api)) is not None and not has_shape(field, value)
    }

    assert wrong == set()


@API
def test_ids_are_uuids_and_dates_are_in_order(api: Api) -> None:
    """Ids are lower-case UUIDs, and no image was changed before it was created, or later than now."""
    for image in images(api):
        assert UUID.fullmatch(str(image["id"]))
        assert str(image["created_at"]) <= str(image["updated_at"]) <= stamp(START + timedelta(days=3))


@API
def test_owners_fit_visibility(api: Api) -> None:
    """The project owns its private images; public ones and those that are shared with it are others'."""
    rows = images(api)
    foreign = {str(image["visibility"]) for image in rows if image["owner"] != PROJECT}
    own = {str(image["visibility"]) for image in rows if image["owner"] == PROJECT}

    assert foreign == {"public", "shared"}
    assert "private" in own
    assert "public" not in own


def test_ims_types_fit() -> None:
    """Gold and market images are public, and only market ones have a product; shared ones are of another project."""
    for image in images(IMS):
        assert (image["visibility"] == "public") == (image["__imagetype"] in {"gold", "market"})
        assert ("__productcode" in image) == (image["__imagetype"] == "market")
        assert (image["__imagetype"] == "shared") == (image["visibility"] == "shared")
        assert (image["status"] == "queued") <= (image["__isregistered"] == "false")
        assert json.loads(str(image.get("__os_feature_list", "{}"))) is not None


def test_ims_writes_one_flag_in_two_ways() -> None:
    """``__lazyloading`` is written with a capital and without."""
    assert {image.get("__lazyloading") for image in images(IMS)} == {None, "true", "false", "True", "False"}


def test_glance_has_null_where_nothing_is_known() -> None:
    """Every image has every attribute; those of the file are null until it is uploaded, and never afterwards."""
    for image in images(GLANCE):
        assert image.keys() >= ATTRIBUTES
        uploaded = image["status"] in {"active", "deactivated"}
        for name in ("size", "checksum", "os_hash_algo", "os_hash_value"):
            assert (image[name] is not None) is uploaded, (name, image["status"])


def test_properties_of_glance_are_text() -> None:
    """Whatever is no attribute is text, and the usual properties occur."""
    properties = [{name: image[name] for name in image if name not in ATTRIBUTES} for image in images(GLANCE)]
    names = set().union(*properties)

    assert {type(value) for row in properties for value in row.values()} == {str}
    assert {"os_distro", "os_version", "os_type", "hw_disk_bus", "base_image_ref", "architecture"} <= names
    assert {row.get("os_distro") for row in properties} >= {"ubuntu", "debian", "windows", None}
