"""The declaration of IMS matches the models of the vendor's SDK."""

from __future__ import annotations

import warnings

from sync.domain.apis import APIS
from sync.domain.fields import Kind

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # warnings at the import of the vendor's code are not ours to fix
    from huaweicloudsdkims.v2 import ImageInfo, ImsClient, ListImagesRequest

IMS = APIS["ims"]
TYPES = {
    Kind.TEXT: "str",
    Kind.TIME: "str",
    Kind.FLAG: "str",
    Kind.NUMERAL: "str",
    Kind.INTEGER: "int",
    Kind.BOOLEAN: "bool",
    Kind.TAGS: "list[str]",
}
HEADER = "X-Sdk-Date"  # the SDK has it among the parameters


def test_the_fields_are_those_of_the_sdk() -> None:
    """The 63 response fields are those of the SDK's model, in its order and with its types."""
    declared = {field.api: TYPES[field.kind] for field in IMS.fields}
    assert declared == {api: ImageInfo.openapi_types[name] for name, api in ImageInfo.attribute_map.items()}
    assert [field.api for field in IMS.fields] == list(ImageInfo.attribute_map.values())
    assert len(IMS.fields) == 63


def test_the_parameters_are_those_of_the_sdk() -> None:
    """The 36 query parameters are those of the SDK's request, in its order; numbers are numbers there, too."""
    request = ListImagesRequest.attribute_map
    assert [parameter.name for parameter in IMS.parameters] == [api for api in request.values() if api != HEADER]
    numbers = {api for name, api in request.items() if ListImagesRequest.openapi_types[name] == "int"}
    assert {parameter.name for parameter in IMS.parameters if parameter.kind is Kind.INTEGER} == numbers
    assert len(IMS.parameters) == 36


def test_the_path_is_that_of_the_sdk() -> None:
    """The list has the path that the SDK requests."""
    assert ImsClient._list_images_http_info(ListImagesRequest())["resource_path"] == IMS.path
