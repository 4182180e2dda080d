"""The declaration of Glance matches the schema of a real Glance, and the queries of OpenStack's SDK."""

from __future__ import annotations

from typing import Any

import pytest
from glance_account import GlanceAccount
from openstack.image.v2.image import Image

from sync.domain.apis import APIS
from sync.domain.fields import Kind

pytest_plugins = ["openstack_fixtures"]

GLANCE = APIS["glance"]
TYPES = {Kind.TEXT: "string", Kind.TIME: "string", Kind.INTEGER: "integer", Kind.BOOLEAN: "boolean", Kind.TAGS: "array"}
CHOSEN = ("status", "visibility", "container_format", "disk_format")


@pytest.fixture
def schema(account: GlanceAccount) -> dict[str, Any]:
    """The schema of an image, as Glance gives it."""
    given: dict[str, Any] = account.ask("/v2/schemas/image").json()
    return given


def test_all_fields_of_the_schema_are_declared(schema: dict[str, Any]) -> None:
    """Each field of an image is declared with its type, or is never stored."""
    fields = {name: field for name, field in schema["properties"].items() if name not in GLANCE.never_stored}
    declared = {name: TYPES[GLANCE.by_name[name].kind] for name in fields}
    assert declared == {name: _type(field["type"]) for name, field in fields.items()}
    assert schema["properties"].keys() >= GLANCE.never_stored


def test_properties_are_text(schema: dict[str, Any]) -> None:
    """What is declared beside the schema are properties, which are text for Glance, too."""
    kinds = {field.kind for field in GLANCE.fields if field.api not in schema["properties"]}
    assert kinds == {Kind.TEXT}
    assert schema["additionalProperties"] == {"type": "string"}


@pytest.mark.parametrize("name", CHOSEN)
def test_the_values_of_the_schema_are_declared(schema: dict[str, Any], name: str) -> None:
    """All values that the schema names are declared, for the field and for the parameter of this name."""
    values = {value for value in schema["properties"][name]["enum"] if value is not None}
    assert values <= {*GLANCE.by_name[name].choices}
    assert values <= {*GLANCE.filters[name]}


def test_the_queries_of_the_sdk_are_declared() -> None:
    """The parameters that OpenStack's SDK sends are declared; others are filters by a field."""
    sent = {*Image._query_mapping._mapping.values()}
    declared = {parameter.name for parameter in GLANCE.parameters}
    assert sent <= declared
    assert declared - sent <= GLANCE.by_name.keys()


def _type(types: str | list[str]) -> str:
    """The one type beside null."""
    return types if isinstance(types, str) else next(name for name in types if name != "null")
