"""The vendor's own Python SDK lists images from the simulated cloud."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from effects import status
from fault_rules import FaultySimulator

from sync.domain.apis import IEC
from sync.simulator import Keys, Simulator, World

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # warnings at the import of the vendor's code are not ours to fix
    from huaweicloudsdkcore.auth.credentials import GlobalCredentials
    from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
    from huaweicloudsdkiec.v1 import IecClient, ListImagesRequest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
KEYS = Keys("AKSIMULATED", "sk-simulated")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A cloud of 1234 images."""
    with FaultySimulator(World(1, 1234), keys=KEYS) as simulator:
        yield simulator


def client(simulator: Simulator, keys: Keys = KEYS) -> IecClient:
    """The vendor's client for this simulator."""
    credentials = GlobalCredentials(keys.access, keys.secret, "domain")
    return IecClient.new_builder().with_credentials(credentials).with_endpoint(simulator.url).build()


def test_the_sdk_reads_the_whole_list(simulator: Simulator) -> None:
    """Page by page, the vendor's SDK gets exactly the images of the world, with all 30 fields."""
    vendor, images = client(simulator), []
    while True:
        request = ListImagesRequest(limit=500, offset=len(images), sort_key="created_at", sort_dir="asc")
        page = vendor.list_images(request)
        images += page.images
        if len(images) >= page.total:
            break
    names = images[0].attribute_map
    read = {image.id: {names[name]: getattr(image, name) for name in names} for image in images}
    truth = simulator.world.truth()

    assert set(names.values()) == {field.api for field in IEC.fields}
    assert read == {name: {field.api: image.get(field.api) for field in IEC.fields} for name, image in truth.items()}


def test_the_sdk_filters(simulator: Simulator) -> None:
    """Query parameters of the vendor's SDK take effect."""
    request = ListImagesRequest(os_type="Windows", visibility="private", support_kvm="true")
    page = client(simulator).list_images(request)

    assert page.images
    assert {(image.os_type, image.visibility, image.support_kvm) for image in page.images} == {
        ("Windows", "private", "true")
    }


def test_the_sdk_understands_errors(simulator: Simulator) -> None:
    """The vendor's SDK finds code, text and request id in the simulated cloud's errors."""
    with pytest.raises(ClientRequestException) as refused:
        client(simulator, Keys(KEYS.access, "wrong")).list_images(ListImagesRequest())
    simulator.faults.add(status(403))
    with pytest.raises(ClientRequestException) as stopped:
        client(simulator).list_images(ListImagesRequest())

    assert (refused.value.status_code, refused.value.error_code) == (401, "APIGW.0301")
    assert (stopped.value.status_code, stopped.value.error_code) == (403, "APIGW.0302")
    assert "not authorized" in stopped.value.error_msg
    assert stopped.value.request_id == simulator.journal.answers()[-1].detail["request_id"]
