"""The APIs of images that can be simulated, one module each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sync.simulator.apis.behaviour import LOST_MARKERS, Behaviour, RefusedError
from sync.simulator.apis.glance import GlanceBehaviour
from sync.simulator.apis.iec import IecBehaviour
from sync.simulator.apis.ims import ImsBehaviour

__all__ = ["BEHAVIOURS", "LOST_MARKERS", "Behaviour", "RefusedError", "behaviour_at"]

BEHAVIOURS: Mapping[str, type[Behaviour]] = MappingProxyType(
    {behaviour.api.name: behaviour for behaviour in (IecBehaviour, ImsBehaviour, GlanceBehaviour)}
)


def behaviour_at(path: str) -> type[Behaviour] | None:
    """The API whose list, or one of whose images, has this path; None for any other path."""
    for behaviour in BEHAVIOURS.values():
        home = behaviour.api.path
        if path == home or (behaviour.api.image_path and path.startswith(f"{home}/")):
            return behaviour
    return None
