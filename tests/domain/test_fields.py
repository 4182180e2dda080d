"""The table of fields matches the API document field by field, and gives the columns."""

from __future__ import annotations

import json

import pytest
from builders import DATA, SAMPLE

from sync.domain.apis import APIS, IEC, column_comment
from sync.domain.fields import COLUMNS, IMAGE_COLUMNS, Column, Field, Kind

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
    """The thirty response fields are those of the API document, in its order and with its types."""
    assert {field.api: TYPES[field.kind] for field in IEC.fields} == DOCUMENT["response"]
    assert [field.api for field in IEC.fields] == list(DOCUMENT["response"])
    assert len(IEC.fields) == 30


def test_the_parameters_are_those_of_the_document() -> None:
    """The twenty query parameters are those of the API document, in its order."""
    assert [parameter.name for parameter in IEC.parameters] == DOCUMENT["query"]
    assert len(IEC.parameters) == 20


def test_the_sample_has_no_other_fields() -> None:
    """The example of the API document has only known fields."""
    assert SAMPLE.keys() <= IEC.by_name.keys()


@pytest.mark.parametrize("field", IEC.fields, ids=lambda field: field.api)
def test_columns_are_named_after_the_api(field: Field) -> None:
    """A column has the API's name without leading underscores, except three that would mislead."""
    assert field.column == RENAMED.get(field.api, field.api.lstrip("_"))
    assert field.column.isidentifier()


def test_the_columns_of_iec_come_first() -> None:
    """IEC's fields have the first columns, in the order of its document, so that its images are decoded in one step."""
    assert [place for place, _ in IEC.stored] == list(range(30))


def test_no_column_is_the_jobs_own() -> None:
    """No two columns have one name, and none is named `deleted_at`, our own time of deletion."""
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert "deleted_at" not in COLUMNS
    assert COLUMNS[0] == "id"


@pytest.mark.parametrize("column", IMAGE_COLUMNS, ids=lambda column: column.name)
def test_comments_give_meaning_unit_and_names(column: Column) -> None:
    """A column's comment has its meaning, its names in the APIs that have it and, for a number, its unit."""
    comment = column_comment(column)

    assert comment.startswith(column.meaning)
    assert bool(column.unit) == (column.kind is Kind.INTEGER)
    assert column.unit in comment
    for api in APIS.values():
        names = [field.api for field in api.fields if field.column == column.name]
        assert len(names) <= 1
        assert (api.name in comment.split("(")[-1]) == bool(names)
        assert all(name in comment for name in names)


def test_filters_are_the_query_parameters_without_paging() -> None:
    """Filters are the query parameters without those for paging and sorting."""
    assert DOCUMENT["query"] == [*filter(lambda name: name in IEC.filters or name in _PAGING, DOCUMENT["query"])]
    assert not IEC.filters.keys() & _PAGING


_PAGING = {"limit", "offset", "sort_key", "sort_dir"}
