"""The declaration of IEC matches the models of the vendor's SDK."""

from __future__ import annotations

import warnings

from sync.domain.apis import APIS
from sync.domain.fields import Kind

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # warnings at the import of the vendor's code are not ours to fix
    from huaweicloudsdkiec.v1 import IecClient, ImageList, ListImagesRequest

IEC = APIS["iec"]
TYPES = {
    Kind.TEXT: "str",
    Kind.TIME: "str",
    Kind.FLAG: "str",
    Kind.INTEGER: "int",
    Kind.BOOLEAN: "bool",
}
NEWER = {"__support_amd"}  # a parameter that the API's document has, and the SDK not yet


def test_the_fields_are_those_of_the_sdk() -> None:
    """The thirty response fields are those of the SDK's model, in its order and with its types."""
    declared = {field.api: TYPES[field.kind] for field in IEC.fields}
    assert declared == {api: ImageList.openapi_types[name] for name, api in ImageList.attribute_map.items()}
    assert [field.api for field in IEC.fields] == list(ImageList.attribute_map.values())
    assert len(IEC.fields) == 30


def test_the_parameters_are_those_of_the_sdk() -> None:
    """The query parameters are those of the SDK's request, and one more; numbers are numbers there, too."""
    request = ListImagesRequest.attribute_map
    assert {parameter.name for parameter in IEC.parameters} == {*request.values()} | NEWER
    numbers = {api for name, api in request.items() if ListImagesRequest.openapi_types[name] == "int"}
    assert {parameter.name for parameter in IEC.parameters if parameter.kind is Kind.INTEGER} == numbers
    assert not NEWER & {*request.values()}


def test_the_path_is_that_of_the_sdk() -> None:
    """The list has the path that the SDK requests."""
    assert IecClient._list_images_http_info(ListImagesRequest())["resource_path"] == IEC.path
