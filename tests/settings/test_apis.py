"""What a source may name depends on its API: filters, fields, credentials and endpoint; each mistake is one sentence."""

from __future__ import annotations

import pytest
from settings_tools import SUPPORT

from sync.domain.apis import APIS
from sync.errors import SettingsError
from sync.settings import Source, load

ENDPOINT = {"ENDPOINT": "https://image.example.com"}
IAM = {"IAM_ENDPOINT": "https://iam.example.com"}
TOKEN = {"TOKEN": "t0ken"}
USER = {**IAM, "USERNAME": "reader", "PASSWORD": "p4ss", "DOMAIN": "acme"}
APPLICATION = {**IAM, "APPLICATION_CREDENTIAL_ID": "a1", "APPLICATION_CREDENTIAL_SECRET": "s3cret"}
KEYS = {"ACCESS_KEY": "ak", "SECRET_KEY": "sk"}


def source(api: str, **values: str) -> Source:
    """The source that these variables make."""
    environ = {f"IMAGE_SYNC_{name}": value for name, value in values.items()}
    return load({"IMAGE_SYNC_API": api} | environ, apis=SUPPORT).sources[0]


def mistakes(api: str, **values: str) -> tuple[str, ...]:
    """The mistakes in these variables."""
    with pytest.raises(SettingsError) as caught:
        source(api, **values)
    return caught.value.mistakes


def test_iec_is_the_default() -> None:
    """A source without the setting reads from IEC; every API of the program can be set."""
    named = [source(name, **ENDPOINT, **TOKEN, PROJECT_ID="p1").api for name in APIS]

    assert load({f"IMAGE_SYNC_{name}": value for name, value in (ENDPOINT | TOKEN).items()}, apis=SUPPORT).sources[
        0
    ].api == ("iec")
    assert named == list(APIS)


def test_an_unknown_api() -> None:
    """Another API is one mistake, which names those that there are."""
    (mistake,) = mistakes("ec2", **TOKEN, FILTER="anything=1")

    assert mistake == "IMAGE_SYNC_API (environment): takes one of iec, ims, glance, not 'ec2'"


@pytest.mark.parametrize(
    ("api", "filter"),
    [
        ("iec", "__support_gpu_t4=true"),
        ("ims", "enterprise_project_id=all_granted_eps"),
        ("ims", "__support_xen=true"),
        ("glance", "visibility=community"),
        ("glance", "os_hidden=true"),
    ],
)
def test_each_api_has_its_own_filters(api: str, filter: str) -> None:
    """A filter of one API is a mistake in the others, which name the filters that they have."""
    own = source(api, **ENDPOINT, **TOKEN, PROJECT_ID="p1", FILTER=filter)
    name = filter.partition("=")[0]

    assert own.filter_query == filter
    for other in SUPPORT.keys() - {api}:
        if filter.partition("=")[2] in SUPPORT[other].filters.get(name, [filter.partition("=")[2]]):
            continue
        (mistake,) = mistakes(other, **ENDPOINT, **TOKEN, PROJECT_ID="p1", FILTER=filter)
        assert (f"{other} has no filter {name!r}" in mistake) == (name not in SUPPORT[other].filters)
        assert "visibility" in mistake


@pytest.mark.parametrize(
    ("api", "filter", "words"),
    [
        ("ims", "__support_gpu_t4=true", "ims has no filter '__support_gpu_t4'"),
        ("ims", "offset=10", "ims has no filter 'offset'"),
        ("ims", "property:os_distro=x", "ims has no filter 'property:os_distro'"),
        ("glance", "visiblity=public", "glance has no filter 'visiblity' (did you mean visibility?); it has checksum"),
        ("glance", "os_distro=ubuntu", "a property that users define is written property:NAME"),
        ("glance", "marker=x", "glance has no filter 'marker'"),
        ("glance", "property:marker=x", "'marker' is a parameter of glance itself; leave out property:"),
        ("glance", "property:visibility=public", "'visibility' is a parameter of glance itself; leave out property:"),
        ("glance", "property:os_distro=", "property:os_distro has no value"),
        ("glance", "property:=x", "glance has no filter 'property:'"),
        ("glance", "visibility=secret", "visibility takes public, private, shared, community, all, not 'secret'"),
    ],
)
def test_a_filter_that_the_api_does_not_have(api: str, filter: str, words: str) -> None:
    """It is one mistake, which says what there is; a mistyped one is never taken for a user's property."""
    (mistake,) = mistakes(api, **ENDPOINT, **TOKEN, PROJECT_ID="p1", FILTER=filter)

    assert mistake.startswith("IMAGE_SYNC_FILTER (environment): ")
    assert words in mistake


def test_properties_that_users_define() -> None:
    """They are marked in the settings, and sent and compared without the mark."""
    glance = source(
        "glance",
        **ENDPOINT,
        **TOKEN,
        PROJECT_ID="p1",
        FILTER="visibility=private&property:os_distro=ubuntu",
        IGNORE_FIELDS="property:build_number,updated_at",
    )

    assert glance.filter_query == "os_distro=ubuntu&visibility=private"
    assert glance.ignore_fields == ("build_number", "updated_at")


@pytest.mark.parametrize(
    ("api", "field", "words"),
    [
        ("iec", "os_hidden", "iec has no field 'os_hidden'"),
        ("ims", "deleted_at", "ims has no field 'deleted_at' (did you mean updated_at?)"),
        ("glance", "updatedat", "glance has no field 'updatedat' (did you mean updated_at?); a property that users"),
    ],
)
def test_a_field_that_the_api_does_not_have(api: str, field: str, words: str) -> None:
    """A field to ignore must be one of the API."""
    (mistake,) = mistakes(api, **ENDPOINT, **TOKEN, PROJECT_ID="p1", IGNORE_FIELDS=field)

    assert mistake.startswith(f"IMAGE_SYNC_IGNORE_FIELDS (environment): {words}")


@pytest.mark.parametrize(
    ("api", "field", "words"),
    [
        ("ims", "owner", "owner can't be ignored: it decides"),
        ("glance", "updated_at,owner", "owner can't be ignored: it decides"),
        ("glance", "property:owner", "'owner' is a field of glance itself; leave out property:"),
        ("glance", "property:id", "'id' is a field of glance itself; leave out property:"),
    ],
)
def test_the_owner_is_never_ignored(api: str, field: str, words: str) -> None:
    """Of an image whose new owner was not noticed, a job would call deleted what is only not shared any more."""
    (mistake,) = mistakes(api, **ENDPOINT, **TOKEN, PROJECT_ID="p1", IGNORE_FIELDS=field)

    assert mistake.startswith(f"IMAGE_SYNC_IGNORE_FIELDS (environment): {words}")
    assert source("iec", **ENDPOINT, **TOKEN, IGNORE_FIELDS="owner").ignore_fields == ("owner",)


@pytest.mark.parametrize(
    ("api", "values", "words"),
    [
        ("iec", TOKEN, "endpoint is missing; set IMAGE_SYNC_ENDPOINT, or endpoint in the settings file (such as https"),
        (
            "ims",
            KEYS | {"PROJECT_ID": "p1"},
            "endpoint is missing; set IMAGE_SYNC_ENDPOINT, or endpoint in the settings",
        ),
        ("glance", TOKEN | {"PROJECT_ID": "p1"}, "or iam_endpoint, so that the token's service catalog names it"),
    ],
)
def test_an_endpoint_that_no_catalog_can_name(api: str, values: dict[str, str], words: str) -> None:
    """Where nothing can be asked for the service catalog, the endpoint is required."""
    (mistake,) = mistakes(api, **values)

    assert words in mistake


@pytest.mark.parametrize("api", ["ims", "glance"])
@pytest.mark.parametrize("credentials", [USER | {"PROJECT_ID": "p1"}, APPLICATION, TOKEN | IAM])
def test_the_endpoint_may_come_from_the_catalog(api: str, credentials: dict[str, str]) -> None:
    """Where the log-in has a service catalog, no endpoint is needed; region and interface choose in it."""
    found = source(api, **credentials, REGION="RegionOne", INTERFACE="internal")

    assert (found.endpoint, found.region, found.interface) == (None, "RegionOne", "internal")
    assert source(api, **credentials).interface == "public"


def test_a_path_before_the_api() -> None:
    """An address may have a path prefix where clouds have one; a version at its end is left out, as requests name it."""
    addresses = ("https://h/image", "https://h/image/v2/", "https://h/v2.7", "https://h/a/b/v3")
    found = [source("glance", ENDPOINT=each, **TOKEN, PROJECT_ID="p1").endpoint for each in addresses]
    identity = source("glance", **USER | {"IAM_ENDPOINT": "https://h:5000/identity/v3"}, PROJECT="demo").credentials

    assert found == ["https://h/image", "https://h/image", "https://h", "https://h/a/b"]
    assert getattr(identity, "iam_endpoint", None) == "https://h:5000/identity"
    for wrong in ("https://h/v2/images", "https://h/a/../b", "https://h//a", "https://h/image?a=b"):
        (mistake,) = mistakes("glance", ENDPOINT=wrong, **TOKEN, PROJECT_ID="p1")
        assert mistake.startswith("IMAGE_SYNC_ENDPOINT (environment): ")
    (mistake,) = mistakes("iec", ENDPOINT="https://h/image", **TOKEN)
    assert "holds a path" in mistake


@pytest.mark.parametrize("api", ["ims", "glance"])
def test_a_project_is_required(api: str) -> None:
    """Credentials must be for a project, since ownership decides what an absent image means."""
    assert "lists the images of a project; set project or project_id" in mistakes(api, **ENDPOINT, **USER)[0]
    assert "set project_id, or iam_endpoint to look it up" in mistakes(api, **ENDPOINT, **TOKEN)[0]
    assert source(api, **ENDPOINT, **USER, PROJECT="demo").credentials
    assert source(api, **ENDPOINT, **USER, PROJECT_ID="p1").credentials


def test_access_keys() -> None:
    """IMS takes access keys with the id of the project, Glance takes none, and IEC needs no project."""
    (no_project,) = mistakes("ims", **ENDPOINT, **KEYS)
    (no_keys,) = mistakes("glance", **ENDPOINT, **KEYS, PROJECT_ID="p1")

    assert no_project.endswith("ims lists the images of a project; set project_id")
    assert no_keys.endswith("glance takes no access keys; give a token, a user or an application credential")
    assert source("iec", **ENDPOINT, **KEYS).credentials
    assert source("ims", **ENDPOINT, **KEYS, PROJECT_ID="p1").credentials


def test_an_application_credential_is_for_a_project() -> None:
    """IEC lists the images of an account, so it takes none."""
    (mistake,) = mistakes("iec", **ENDPOINT, **APPLICATION)

    assert "an application credential is for one project, but iec lists an account" in mistake


def test_all_mistakes_at_once() -> None:
    """Filter, field, endpoint and project of one source are reported together."""
    found = mistakes("glance", **TOKEN, FILTER="nothing=1", IGNORE_FIELDS="nothing", INTERFACE="secret")

    assert len(found) == 5
    assert [
        word for word in ("FILTER", "IGNORE_FIELDS", "INTERFACE", "endpoint", "project_id") if word not in str(found)
    ] == []
