"""Which credentials a source uses: exactly one kind, from the nearest places that have any."""

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence

from sync.settings.gather import Layer, RawValue
from sync.settings.logins import KINDS, ApplicationCredential, Keys, Kind, Password
from sync.settings.options import options

_CHOICES = (
    "token; or iam_endpoint, username, password and domain; or iam_endpoint, application_credential_id and "
    "application_credential_secret; or access_key and secret_key (in the environment IMAGE_SYNC_TOKEN and so on)"
)
_KEYS = {kind: frozenset(option.key for option in options(kind)) for kind in KINDS}
_USERS = (Password, ApplicationCredential)
_NAMED_TWICE = (
    ("domain", "domain_id"),
    ("user_domain", "user_domain_id"),
    ("project", "project_id"),
    ("project_domain", "project_domain_id"),
    ("application_credential_name", "application_credential_id"),
)


def choose_credentials(
    called: str, layers: Sequence[Layer], vendor: Layer, mistakes: list[str]
) -> tuple[Kind | None, Mapping[str, RawValue]]:
    """Choose the credentials of one source.

    Several kinds share settings, such as ``project_id``: the nearest place leaves the kinds that have all of its
    settings, and places farther away decide among these.

    Args:
        called: name of the source, for messages.
        layers: what is set, the nearest place first.
        vendor: what the vendor's own environment names set; used only where no layer has credentials.
        mistakes: is added to.

    Returns:
        Their kind, or None if it is unclear, and where to read them.
    """
    used = [layer for layer in layers if _credentials_in(layer)]
    kinds = _fitting(used)
    if used and not kinds:
        places = ", ".join(used[0][key].where for key in _credentials_in(used[0]))
        mistakes.append(f"{called}: {places} are credentials of different kinds; keep one kind: {_CHOICES}")
        return None, ChainMap(*used)
    if len(kinds) != 1 and Keys in kinds and {"access_key", "secret_key"} & set(vendor):
        used, kinds = [*used, vendor], [Keys]
    if len(kinds) != 1 and not set(kinds) <= set(_USERS):
        mistakes.append(f"{called}: credentials are missing; give {_CHOICES}")
        return None, ChainMap(*used)
    return kinds[0], _one_pair(used) if kinds[0] is Keys else ChainMap(*used)


def login_mistakes(called: str, kind: Kind, raw: Mapping[str, RawValue]) -> Iterator[str]:
    """Find what credentials lack or name twice, beyond the settings that are always required.

    Args:
        called: name of the source, for messages.
        kind: of the credentials.
        raw: where their settings are set.
    """
    for names in _NAMED_TWICE:
        both = [raw[key].where for key in names if key in _KEYS[kind] and key in raw]
        if len(both) > 1:
            yield f"{' and '.join(both)} name the same; keep one of them"
    if kind is ApplicationCredential and "application_credential_id" not in raw:
        yield from _missing(called, ("application_credential_id", "application_credential_name"), raw)
        if "application_credential_name" not in raw:
            return
        yield from _missing(called, ("username",), raw)
    elif kind is not Password:
        return
    yield from _missing(called, ("domain", "user_domain", "domain_id", "user_domain_id"), raw)


def _missing(called: str, keys: Sequence[str], raw: Mapping[str, RawValue]) -> Iterator[str]:
    """Report that one of these is missing, unless one is set."""
    if not set(keys) & set(raw):
        name, others = keys[0], f"; or {', '.join(keys[1:])}" if keys[1:] else ""
        yield f"{called}: {name} is missing; set IMAGE_SYNC_{name.upper()}, or {name} in the settings file{others}"


def _fitting(layers: Sequence[Layer]) -> list[Kind]:
    """The kinds that the layers leave; a layer of other kinds than the nearer ones says nothing."""
    kinds = list(KINDS)
    for number, layer in enumerate(layers):
        fitting = [kind for kind in kinds if _KEYS[kind].issuperset(_credentials_in(layer))]
        if fitting or not number:
            kinds = fitting
    return kinds


def _credentials_in(layer: Layer) -> list[str]:
    return [key for key in layer if any(key in keys for keys in _KEYS.values())]


def _one_pair(layers: Sequence[Layer]) -> Mapping[str, RawValue]:
    """A key pair; its security token belongs to the access key and is not taken from a farther place."""
    depth = next((number for number, layer in enumerate(layers) if "access_key" in layer), len(layers))
    far = [{key: raw for key, raw in layer.items() if key != "security_token"} for layer in layers[depth + 1 :]]
    return ChainMap(*layers[: depth + 1], *far)
