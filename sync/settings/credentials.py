"""Which credentials a source uses: exactly one kind, from the nearest place that speaks of any."""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sync.settings.gather import Layer, RawValue
from sync.settings.model import KINDS, OF_CREDENTIALS, Credentials, Keys
from sync.settings.options import options
from sync.settings.values import read_values, require


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials of one source: the values that are right, and where each came from; ``kind`` is None if unclear."""

    kind: type[Credentials] | None = None
    values: dict[str, object] = field(default_factory=dict)
    given: Mapping[str, RawValue] = field(default_factory=dict)


def find_credentials(called: str, layers: Sequence[Layer], vendor: Layer, mistakes: list[str]) -> Found:
    """Read the credentials of one source.

    Args:
        called: name of the source, for messages.
        layers: what was given, the nearest place first.
        vendor: what the vendor's own environment names give; they count only where no layer speaks of credentials.
        mistakes: is added to.
    """
    spoken = [layer for layer in layers if _kinds_in(layer)] or [vendor]
    kinds = _kinds_in(spoken[0])
    if len(kinds) != 1:
        mistakes.append(_one_kind(called, spoken[0], kinds))
        read_values(OF_CREDENTIALS, ChainMap(*spoken), mistakes)
        return Found()
    wanted = options(kinds[0])
    given = _one_pair(spoken) if kinds[0] is Keys else ChainMap(*spoken)
    values = read_values(wanted, given, mistakes)
    require(called, wanted, given, mistakes)
    return Found(kinds[0], values, given)


def _kinds_in(layer: Layer) -> list[type[Credentials]]:
    return [kind for kind in KINDS if any(option.key in layer for option in options(kind))]


def _one_kind(called: str, layer: Layer, kinds: Sequence[type[Credentials]]) -> str:
    choices = (
        "token; or iam_endpoint, username, password and domain; or access_key and secret_key "
        "(in the environment IMAGE_SYNC_TOKEN and so on)"
    )
    if not kinds:
        return f"{called}: credentials are missing; give {choices}"
    used = [layer[option.key].where for kind in kinds for option in options(kind) if option.key in layer]
    return f"{called}: {', '.join(used)} are credentials of different kinds; keep one kind: {choices}"


def _one_pair(layers: Sequence[Layer]) -> Mapping[str, RawValue]:
    """A key pair; its security token belongs to the access key and is not taken from a farther place."""
    depth = next((number for number, layer in enumerate(layers) if "access_key" in layer), len(layers))
    far = [{key: found for key, found in layer.items() if key != "security_token"} for layer in layers[depth + 1 :]]
    return ChainMap(*layers[: depth + 1], *far)
