"""The table of fields is the API's document, field by field, and gives the columns the design names."""

from __future__ import annotations

import json

import pytest
from builders import DATA, SAMPLE

from sync.domain.fields import BY_API, COLUMNS, FIELDS, FILTERS, PARAMETERS, Field, Kind

DOCUMENT = json.loads((DATA / "names.json").read_text())
RENAMED = {"self": "self_link", "deleted": "vendor_deleted", "deleted_at": "vendor_deleted_at"}
TYPES = {
    Kind.TEXT: "String",
    Kind.TIME: "String",
    Kind.FLAG: "String",
    Kind.INTEGER: "Integer",
    Kind.BOOLEAN: "Boolean",
}


def test_the_fields_are_those_of_the_document() -> None:
    """Thirty response fields, in the document's order, each with the type it has there."""
    assert {field.api: TYPES[field.kind] for field in FIELDS} == DOCUMENT["response"]
    assert [field.api for field in FIELDS] == list(DOCUMENT["response"])
    assert len(FIELDS) == 30


def test_the_parameters_are_those_of_the_document() -> None:
    """Twenty query parameters, in the document's order."""
    assert [parameter.name for parameter in PARAMETERS] == DOCUMENT["query"]
    assert len(PARAMETERS) == 20


def test_the_sample_has_no_other_fields() -> None:
    """What the document shows as an example is made of its fields."""
    assert SAMPLE.keys() <= BY_API.keys()


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.api)
def test_columns_are_named_after_the_api(field: Field) -> None:
    """The API's name without its leading underscores, but for the three that would mislead."""
    assert field.column == RENAMED.get(field.api, field.api.lstrip("_"))
    assert field.column.isidentifier()


def test_no_two_fields_share_a_column() -> None:
    """Each field has a column of its own; none is called as our own moment of deletion."""
    assert len(set(COLUMNS)) == len(FIELDS)
    assert "deleted_at" not in COLUMNS
    assert COLUMNS[0] == "id"


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.api)
def test_comments_say_what_where_from_and_in_what_unit(field: Field) -> None:
    """A column comment holds the meaning, the API's name, and for a number that has one its unit."""
    assert field.meaning in field.comment
    assert f"(API: {field.api})" in field.comment
    assert bool(field.unit) == (field.kind is Kind.INTEGER)
    assert field.unit in field.comment


def test_filters_name_a_field_that_exists() -> None:
    """A filter narrows the list by a response field; paging and sorting are no filters."""
    assert DOCUMENT["query"] == [*filter(lambda name: name in FILTERS or name in _PAGING, DOCUMENT["query"])]
    assert not FILTERS.keys() & _PAGING


_PAGING = {"limit", "offset", "sort_key", "sort_dir"}
