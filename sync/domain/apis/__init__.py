"""The APIs of images that the job reads, one module each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sync.domain.apis.api import Api, Part
from sync.domain.apis.glance import GLANCE
from sync.domain.apis.iec import IEC
from sync.domain.apis.ims import IMS
from sync.domain.fields import Column

__all__ = ["APIS", "GLANCE", "IEC", "IMS", "Api", "Part", "column_comment"]

APIS: Mapping[str, Api] = MappingProxyType({api.name: api for api in (IEC, IMS, GLANCE)})


def column_comment(column: Column) -> str:
    """The comment of a column of images: meaning, unit, and what the APIs call it."""
    names: dict[str, list[str]] = {}
    for api in APIS.values():
        for field in api.fields:
            if field.column == column.name:
                names.setdefault(field.api, []).append(api.name)
    unit = f", in {column.unit}" if column.unit else ""
    called = "; ".join(f"{', '.join(apis)}: {name}" for name, apis in names.items())
    return f"{column.meaning}{unit} ({called})"
