"""Which credentials a source uses: exactly one kind, from the nearest place that has any."""

from collections import ChainMap
from collections.abc import Mapping, Sequence

from sync.settings.gather import Layer, RawValue
from sync.settings.model import KINDS, Credentials, Keys
from sync.settings.options import options

_CHOICES = (
    "token; or iam_endpoint, username, password and domain; or access_key and secret_key "
    "(in the environment IMAGE_SYNC_TOKEN and so on)"
)


def choose_credentials(
    called: str, layers: Sequence[Layer], vendor: Layer, mistakes: list[str]
) -> tuple[type[Credentials] | None, Mapping[str, RawValue]]:
    """Choose the credentials of one source.

    Args:
        called: name of the source, for messages.
        layers: what is set, the nearest place first.
        vendor: what the vendor's own environment names set; used only where no layer has credentials.
        mistakes: is added to.

    Returns:
        Their kind, or None if it is unclear, and where to read them.
    """
    used = [layer for layer in layers if _kinds_in(layer)] or [vendor]
    kinds = _kinds_in(used[0])
    if len(kinds) == 1:
        return kinds[0], _one_pair(used) if kinds[0] is Keys else ChainMap(*used)
    if kinds:
        keys = [option.key for kind in kinds for option in options(kind) if option.key in used[0]]
        places = ", ".join(used[0][key].where for key in keys)
        mistakes.append(f"{called}: {places} are credentials of different kinds; keep one kind: {_CHOICES}")
    else:
        mistakes.append(f"{called}: credentials are missing; give {_CHOICES}")
    return None, ChainMap(*used)


def _kinds_in(layer: Layer) -> list[type[Credentials]]:
    return [kind for kind in KINDS if any(option.key in layer for option in options(kind))]


def _one_pair(layers: Sequence[Layer]) -> Mapping[str, RawValue]:
    """A key pair; its security token belongs to the access key and is not taken from a farther place."""
    depth = next((number for number, layer in enumerate(layers) if "access_key" in layer), len(layers))
    far = [{key: raw for key, raw in layer.items() if key != "security_token"} for layer in layers[depth + 1 :]]
    return ChainMap(*layers[: depth + 1], *far)
