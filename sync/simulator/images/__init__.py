"""Believable images, one module for each API."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sync.domain.apis import GLANCE, IEC, IMS
from sync.simulator.catalog import Catalog
from sync.simulator.images.glance import GlanceCatalog
from sync.simulator.images.iec import IecCatalog
from sync.simulator.images.ims import ImsCatalog

__all__ = ["CATALOGS", "GlanceCatalog", "IecCatalog", "ImsCatalog"]

CATALOGS: Mapping[str, type[Catalog]] = MappingProxyType(
    {IEC.name: IecCatalog, IMS.name: ImsCatalog, GLANCE.name: GlanceCatalog}
)
