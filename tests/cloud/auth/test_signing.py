"""Request signatures equal the vendor's and cover the request as it is sent; a wrong clock is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote, urlencode

import breakage
import httpx
import pytest
from credential_tools import Clock, Recorder, Run, page, statuses
from fault_rules import FaultySimulator
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.cloud.auth.signing import SignedRequests
from sync.errors import UnauthorizedError
from sync.settings import Secret
from sync.simulator import Keys, Simulator, World

KEYS = Keys("AKSIMULATED", "canary-sk")
TEXT = st.text(st.sampled_from("~ +%&=*'()/?#;aA中") | st.characters(exclude_categories=("Cs",)), max_size=12)
WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
HOST = st.sampled_from(["iecs.myhuaweicloud.com", "127.0.0.1:8080", "[::1]:99", "a.b:443"])
SEGMENT = TEXT.filter(lambda text: text not in {".", ".."} and "/" not in text)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A cloud of three images with one key pair."""
    with FaultySimulator(World(1, 3), keys=KEYS) as simulator:
        yield simulator


def vendor_signature(host: str, path: str, query: list[tuple[str, str]], date: str, keys: Keys) -> str:
    """The ``Authorization`` header of the vendor's own signer."""
    request = SdkRequest("GET", "https", host, path, None, query, {"X-Sdk-Date": date}, "")
    credentials = GlobalCredentials(keys.access, keys.secret, "account-id")
    if keys.security_token:
        credentials = credentials.with_security_token(keys.security_token)
    signed = credentials.sign_request(request)
    return str(signed.header_params["Authorization"])


@settings(max_examples=300, deadline=None)
@given(
    host=HOST,
    path=st.lists(SEGMENT, max_size=3),
    query=st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=5),
    moment=st.integers(0, 4_000_000_000),
    keys=st.builds(Keys, WORD, WORD, st.none() | WORD),
)
def test_signatures_equal_the_vendors(
    host: str, path: list[str], query: list[tuple[str, str]], moment: int, keys: Keys
) -> None:
    """Any host, path, query, time and keys are signed exactly as the vendor's own code signs them."""
    resource = "/v1" + "".join(f"/{quote(part, safe='')}" for part in path)
    url = f"https://{host}{resource}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
    signer = SignedRequests(
        Secret(keys.access),
        Secret(keys.secret),
        keys.security_token and Secret(keys.security_token),
        domain_id="account-id",
        clock=Clock(moment),
    )
    headers = signer.headers("GET", url)

    expected = vendor_signature(headers["Host"], resource, query, headers["X-Sdk-Date"], keys)
    assert headers["Authorization"] == expected


def test_the_project_is_signed_as_the_vendor_does() -> None:
    """Regional services get the id of the project, which the signature covers, and none of the account."""
    signer = SignedRequests(Secret("ak"), Secret("sk"), project_id="p1", clock=Clock(1_800_000_000))
    headers = signer.headers("GET", "https://ims.example.com/v2/cloudimages")
    request = SdkRequest(
        "GET", "https", headers["Host"], "/v2/cloudimages", None, [], {"X-Sdk-Date": headers["X-Sdk-Date"]}, ""
    )
    expected = BasicCredentials("ak", "sk", "p1").sign_request(request).header_params

    assert headers["X-Project-Id"] == expected["X-Project-Id"] == "p1"
    assert headers["Authorization"] == expected["Authorization"]
    assert "x-project-id" in headers["Authorization"]
    assert "X-Domain-Id" not in headers


@settings(max_examples=100, deadline=None)
@given(host=HOST, query=st.dictionaries(TEXT.filter(bool), TEXT, max_size=5))
def test_the_signed_request_is_the_one_sent(host: str, query: dict[str, str]) -> None:
    """The HTTP library sends the signed Host header once, and a query that decodes to the same parameters."""
    url = f"https://{host}/v1/images?{urlencode(query, quote_via=quote)}"
    headers = SignedRequests(Secret("ak"), Secret("sk")).headers("GET", url)
    sent = httpx.Request("GET", url, headers=dict(headers))

    assert sent.headers.get_list("host") == [headers["Host"]] == [httpx.Request("GET", url).headers["host"]]
    assert b"+" not in sent.url.raw_path
    assert dict(sent.url.params.multi_items()) == query


@settings(max_examples=60, deadline=None)
@given(query=st.fixed_dictionaries({"name": TEXT, "id": TEXT}))
def test_any_filter_is_signed_correctly(simulator: Simulator, query: dict[str, str]) -> None:
    """Whatever the values of a filter, the cloud accepts the signature."""
    run = Run()
    with run.client(simulator, SignedRequests(Secret(KEYS.access), Secret(KEYS.secret))) as client:
        assert json.loads(page(client, **query)) == {"images": [], "total": 0}


def test_a_space_is_sent_as_percent_20() -> None:
    """A space in a filter is sent as %20, because a + would be signed as a plus sign."""
    with Recorder(200, {}, b"{}") as api:
        with Run().client(api, SignedRequests(Secret("ak"), Secret("sk"))) as client:
            page(client, name="a b+c")

        assert api.asked[0][1] == "/v1/images?name=a%20b%2Bc"


def test_temporary_keys_send_their_security_token() -> None:
    """The security token of temporary keys is sent and signed, and so is the account if it is set."""
    keys = Keys("AKTEMP", "sk", "sts")
    with FaultySimulator(World(1, 3), keys=keys) as simulator:
        run = Run()
        credential = SignedRequests(Secret("AKTEMP"), Secret("sk"), Secret("sts"), domain_id="account")
        with run.client(simulator, credential) as client:
            assert len(json.loads(page(client))["images"]) == 3
        signed = credential.headers("GET", simulator.url)
        with (
            run.client(simulator, SignedRequests(Secret("AKTEMP"), Secret("sk"))) as client,
            pytest.raises(UnauthorizedError),
        ):
            page(client)

    assert signed["X-Domain-Id"] == "account"
    assert "SignedHeaders=host;x-domain-id;x-sdk-date;x-security-token," in signed["Authorization"]


def test_a_wrong_key_is_tried_once(simulator: Simulator) -> None:
    """A refused signature is not retried, even if the clock has moved on, since failures lock the key."""
    moments = iter(range(1_000))

    def ticking() -> float:
        return datetime.now(UTC).timestamp() + next(moments)

    before = len(statuses(simulator))
    run = Run()
    wrong = SignedRequests(Secret(KEYS.access), Secret("wrong"), clock=ticking)
    with (
        run.client(simulator, wrong) as client,
        pytest.raises(UnauthorizedError, match="verify aksk signature fail") as caught,
    ):
        page(client)

    assert statuses(simulator)[before:] == [401]
    assert "clock" not in str(caught.value)


@pytest.mark.parametrize(
    ("minutes", "message"), [(16, "16 minutes behind the cloud's"), (-16, "16 minutes ahead of the cloud's")]
)
def test_a_wrong_clock_is_named(minutes: int, message: str) -> None:
    """If our clock and the cloud's are too far apart, the error says by how much, in which direction and what to do."""
    with FaultySimulator(World(1, 0), keys=KEYS, skew=minutes * 60) as simulator:
        credential = SignedRequests(Secret(KEYS.access), Secret(KEYS.secret))
        with Run().client(simulator, credential) as client, pytest.raises(UnauthorizedError) as caught:
            page(client)

        assert statuses(simulator) == [401]
    assert "clock skew" in str(caught.value)
    assert message in str(caught.value)
    assert "set the clock (NTP)" in str(caught.value)


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_within_the_window_is_accepted(minutes: int) -> None:
    """A clock that is fourteen minutes off is accepted."""
    with FaultySimulator(World(1, 0), keys=KEYS, skew=minutes * 60) as simulator:
        run = Run()
        with run.client(simulator, SignedRequests(Secret(KEYS.access), Secret(KEYS.secret))) as client:
            assert page(client)


def test_an_unreadable_date_explains_nothing() -> None:
    """A date that is missing, invalid or close to our own time adds nothing to the error."""
    credential = SignedRequests(Secret("ak"), Secret("sk"), clock=Clock(1_000_000_000))
    near = format_datetime(datetime.fromtimestamp(1_000_000_100, UTC), usegmt=True)

    for date in (None, "", "junk", "Mon, 99 Foo 99999999999999999999 99:99:99 GMT", near):
        assert credential.explain(date) == ""


def test_a_retry_is_signed_again(simulator: Simulator) -> None:
    """A request that is retried gets a new signature with the time of the retry."""
    stamps: list[float] = []

    def clock() -> float:
        stamps.append(datetime.now(UTC).timestamp() + len(stamps))
        return stamps[-1]

    simulator.faults.add(breakage.drop())
    run = Run()
    with run.client(simulator, SignedRequests(Secret(KEYS.access), Secret(KEYS.secret), clock=clock)) as client:
        assert page(client)

    assert len(stamps) == 2
