"""The vendors' own Python SDKs list images from the simulated IMS and Glance."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from sync.domain.apis import IMS
from sync.simulator import PROJECT, Application, Keys, Login, Simulator, World

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # warnings at the import of the vendors' code are not ours to fix
    import openstack
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
    from huaweicloudsdkims.v2 import ImsClient, ListImagesRequest

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::PendingDeprecationWarning"
)
KEYS = Keys("AKSIMULATED", "sk-simulated")
LOGIN = Login("reader", "p4ss", domain="acme", project="shop", application=Application("app1", "s3cret"))


@pytest.fixture(scope="module")
def ims() -> Iterator[Simulator]:
    """An IMS of 1234 images."""
    with Simulator(World(1, 1234, api="ims"), keys=KEYS) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def glance() -> Iterator[Simulator]:
    """A Glance of 333 images, in pages of at most 100."""
    with Simulator(World(1, 333, api="glance"), login=LOGIN, page_cap=100) as simulator:
        yield simulator


def client(simulator: Simulator, project: str = PROJECT) -> ImsClient:
    """The vendor's client for this simulator."""
    credentials = BasicCredentials(KEYS.access, KEYS.secret, project)
    return ImsClient.new_builder().with_credentials(credentials).with_endpoint(simulator.url).build()


def walk(vendor: ImsClient, **query: Any) -> list[Any]:
    """All images, page by page."""
    images: list[Any] = []
    while page := vendor.list_images(ListImagesRequest(limit=500, sort_key="id", sort_dir="asc", **query)).images:
        images += page
        query["marker"] = page[-1].id
    return images


def test_the_sdk_of_ims_reads_the_whole_list(ims: Simulator) -> None:
    """Page by page, signed for its project, the vendor's SDK gets exactly the images, with all 63 fields."""
    images = walk(client(ims)) + walk(client(ims), isregistered="false")
    names = images[0].attribute_map
    read = {image.id: {names[name]: getattr(image, name) for name in names} for image in images}

    assert set(names.values()) == {field.api for field in IMS.fields}
    assert len(images) == 1234
    assert read == {
        name: {field.api: image.get(field.api) for field in IMS.fields} for name, image in ims.world.truth().items()
    }


def test_the_sdk_of_ims_understands_errors(ims: Simulator) -> None:
    """The vendor's SDK finds code and text in errors of the service and of the gateway."""
    with pytest.raises(ClientRequestException) as lost:
        client(ims).list_images(ListImagesRequest(marker="nowhere"))
    with pytest.raises(ClientRequestException) as refused:
        client(ims, "9" * 32).list_images(ListImagesRequest())

    assert (lost.value.status_code, lost.value.error_code) == (400, "IMG.0057")
    assert "nowhere" in lost.value.error_msg
    assert (refused.value.status_code, refused.value.error_code) == (401, "APIG.0301")


LOGINS: dict[str, dict[str, Any]] = {
    "password": {
        "username": "reader",
        "password": "p4ss",
        "user_domain_name": "acme",
        "project_name": "shop",
        "project_domain_name": "acme",
    },
    "v3applicationcredential": {"application_credential_id": "app1", "application_credential_secret": "s3cret"},
}


@pytest.mark.parametrize("kind", LOGINS)
def test_openstacksdk_reads_the_whole_list(glance: Simulator, kind: str) -> None:
    """By the catalog and the links of the pages, OpenStack's SDK gets exactly the images; one by its id too."""
    auth = LOGINS[kind] | {"auth_url": f"{glance.url}/identity"}
    truth = glance.world.truth()
    with openstack.connection.Connection(auth_type=kind, auth=auth, region_name="RegionOne") as connection:
        usual = list(connection.image.images())
        hidden = list(connection.image.images(os_hidden=True, limit=2))
        some = connection.image.get_image(hidden[0].id)

    assert {image.id: image.name for image in usual + hidden} == {name: row["name"] for name, row in truth.items()}
    assert len(usual + hidden) == 333
    assert len(hidden) > 2
    assert (some.name, some.is_hidden) == (truth[some.id]["name"], True)
    assert some.properties == {name: value for name, value in truth[some.id].items() if name in some.properties}


def test_openstacksdk_with_a_token_and_an_endpoint(glance: Simulator) -> None:
    """A token and an endpoint are enough for OpenStack's SDK; a missing image is its own error."""
    auth = {"token": glance.token, "endpoint": f"{glance.url}/v2"}
    name = next(iter(glance.world.truth()))
    with openstack.connection.Connection(auth_type="admin_token", auth=auth) as connection:
        assert connection.image.get_image(name).id == name
        assert len(list(connection.image.images(limit=40))) > 300
        with pytest.raises(openstack.exceptions.NotFoundException, match="No image found"):
            connection.image.get_image("nowhere")
