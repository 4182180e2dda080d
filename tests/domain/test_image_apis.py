"""Images of IMS and Glance: columns, properties, tags, what is never stored, and back to JSON."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.apis import APIS, GLANCE, IEC, IMS
from sync.domain.apis.api import Api
from sync.domain.fields import COLUMNS, Kind
from sync.domain.image import Image, Reader, Unreadable, to_json

UUID = "3f1c0f5e-3f0e-4d4b-9a53-0d4e8f2f7a10"
IMAGE = {
    "id": UUID,
    "name": "jammy",
    "status": "active",
    "visibility": "shared",
    "os_hidden": False,
    "size": 2**40,
    "virtual_size": None,
    "tags": ["b", "a"],
    "created_at": "2024-05-01T00:00:00Z",
    "os_distro": "ubuntu",
    "os_version": "22.04",
    "self": f"/v2/images/{UUID}",
    "file": f"/v2/images/{UUID}/file",
    "schema": "/v2/schemas/image",
}
SECRET = "swift+https://tenant:p4ssword@store/container"


def read(document: dict[str, Any] | bytes, api: Api = GLANCE, ignore: tuple[str, ...] = ()) -> Image:
    """The image in a document."""
    image = Reader(ignore, api).read(document if isinstance(document, bytes) else json.dumps(document).encode())
    assert isinstance(image, Image)
    return image


def columns(image: Image) -> dict[str, Any]:
    """The values by column that are not NULL."""
    return {name: value for name, value in zip(COLUMNS, image.values, strict=True) if value is not None}


def restored(image: Image, api: Api) -> dict[str, Any]:
    """The JSON again."""
    return to_json(dict(zip(COLUMNS, image.values, strict=True)), image.extra, api)


def test_an_image_of_glance_has_its_columns() -> None:
    """Documented fields are in the shared columns, properties of users in extra, under their own names."""
    image = read(IMAGE)

    assert columns(image)["size_bytes"] == 2**40
    assert columns(image)["hidden"] is False
    assert columns(image)["self_link"] == IMAGE["self"]
    assert image.extra == {name: IMAGE[name] for name in ("virtual_size", "os_distro", "os_version", "file", "schema")}
    assert image.type_mismatches == 0
    assert Reader(api=GLANCE).undocumented(read(IMAGE | {"anything": "x"})) == []


def test_tags_are_a_set() -> None:
    """Tags in another order are no change; another tag is."""
    image = read(IMAGE)

    assert columns(image)["tags"] == ("a", "b")
    assert read(IMAGE | {"tags": ["a", "b", "a"]}).content == image.content
    assert read(IMAGE | {"tags": ["a", "c"]}).content != image.content
    assert read(IMAGE | {"tags": []}).content not in {image.content, read(IMAGE | {"tags": None}).content}
    assert restored(image, GLANCE)["tags"] == ("a", "b")


def test_tags_in_another_order_have_the_same_digest() -> None:
    """A cloud that sends tags in another order sends the same image, as seen from its bytes; other tags are others."""
    reader, image = Reader(api=GLANCE), {"id": "a", "tags": ["b, c", "a", "d]", '"']}
    digests = {json.dumps(tags): reader.digest(sent(image | {"tags": tags})) for tags in permutations(image["tags"])}
    others = [["b", "c", "a", "d]", '"'], ["b, a", "c", "d]", '"'], ["a"], [], None, ["a", 1], "b, a"]

    assert len(set(digests.values())) == 1
    assert len({reader.digest(sent(image | {"tags": tags})) for tags in others} | set(digests.values())) == 8
    assert Reader(api=IEC).digest(sent({"tags": ["b", "a"]})) != Reader(api=IEC).digest(sent({"tags": ["a", "b"]}))


def sent(document: dict[str, Any]) -> msgspec.Raw:
    """A document as an answer has it."""
    return msgspec.Raw(json.dumps(document).encode())


@pytest.mark.parametrize("tags", ["a", [1], {"a": "b"}, [None], [["a"]]])
def test_tags_that_are_no_texts_stay_in_extra(tags: object) -> None:
    """What is no list of texts does not fit, and is kept as it came."""
    image = read(IMAGE | {"tags": tags})

    assert "tags" not in columns(image)
    assert image.extra["tags"] == tags
    assert image.type_mismatches == 1


def test_an_image_of_ims_has_its_columns() -> None:
    """Numbers and truths that IMS writes as text are numbers and truths, and are written as text again."""
    document = {
        "id": UUID,
        "__isregistered": "true",
        "__image_size": "10737418240",
        "__is_offshelved": "false",
        "__originalimagename": "parent",
        "__system__cmkid": "key",
        "__support_fc_inject": "true",
        "max_ram": "4096",
        "min_ram": 0,
        "tags": ["owner.me"],
        "active_at": "2024-05-01T00:00:01Z",
    }
    image = read(document, IMS)

    assert columns(image) == {
        "id": UUID,
        "isregistered": True,
        "size_bytes": 10737418240,
        "offshelved": False,
        "parent_image_id": "parent",
        "encryption_key_id": "key",
        "min_ram": 0,
        "tags": ("owner.me",),
        "active_at": read({"id": "x", "created_at": document["active_at"]}, IMS).created_at,
    }
    assert image.extra == {"__support_fc_inject": "true", "max_ram": "4096"}
    assert json.loads(json.dumps(restored(image, IMS))) == document


@pytest.mark.parametrize("key", ["locations", "direct_url", r"\u006cocations", r"\u0064irect_url"])
def test_addresses_of_image_files_are_never_kept(key: str) -> None:
    """Where an image file lies may hold a password: neither content nor extra has it, however its name is written."""
    image = read(json.dumps(IMAGE).encode()[:-1] + f', "{key}": "{SECRET}"}}'.encode())

    assert SECRET not in repr(image)
    assert image.content == read(IMAGE).content


@pytest.mark.parametrize(
    "broken",
    [
        b'{"id": 7, "locations": [{"url": "%s"}]}',
        b'{"name": "x\\u0000", "id": "a", "direct_url": "%s"}',
        b'{"id": "a", "direct_url": "%s", "x": ' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"id": "a", "direct_url": "%s", "x": 1e9999}',
        b'{"id": "a", "\\u0064irect_url": "%s", "x": 1e9999}',
        b'{"id": "a", "direct_url": "%s", "x": "' + b"y" * (1 << 20) + b'"}',
    ],
    ids=["no id", "NUL", "deep", "huge number", "escaped", "too large"],
)
def test_quarantine_does_not_keep_them_either(broken: bytes) -> None:
    """A record that can't be read is kept without what may hold a password."""
    record = Reader(api=GLANCE).read(broken.replace(b"%s", SECRET.encode()))

    assert isinstance(record, Unreadable)
    assert SECRET.encode() not in record.raw
    assert b"p4ssword" not in record.raw


def test_quarantine_keeps_all_else() -> None:
    """A record without such fields is kept as it came, and for IEC any record is."""
    for api, raw in ((GLANCE, b'{"id": 7, "name": "x"}'), (IEC, b'{"id": 7, "direct_url": "x"}')):
        record = Reader(api=api).read(raw)
        assert isinstance(record, Unreadable)
        assert record.raw == raw
    both = Reader(api=GLANCE).read(b'{"id": 7, "name": "x", "direct_url": "y"}')
    assert isinstance(both, Unreadable)
    assert json.loads(both.raw) == {"id": 7, "name": "x"}


@pytest.mark.parametrize(
    ("document", "job"),
    [
        ({"related_job_id": "j"}, "j"),
        ({"related_job_id": "j", "relation_job_id": "j"}, "j"),
        ({"related_job_id": "j", "relation_job_id": "other"}, "other"),
        ({"related_job_id": 7}, None),
        ({"related_job_id": None, "relation_job_id": "j"}, "j"),
        ({"relation_job_id": 7, "related_job_id": "j"}, None),
    ],
)
def test_a_field_of_iec_that_has_two_names(document: dict[str, Any], job: str | None) -> None:
    """The column is filled by either name, and the JSON has again the one that came."""
    image = read({"id": "a"} | document, IEC)
    sent = {name: value for name, value in document.items() if value is not None}

    assert columns(image).get("relation_job_id") == job
    assert {name: value for name, value in restored(image, IEC).items() if value not in ("", None)} == {
        "id": "a"
    } | sent
    assert Reader().undocumented(image) == []


@pytest.mark.parametrize("ignored", ["related_job_id", "relation_job_id"])
def test_a_field_is_ignored_by_both_its_names(ignored: str) -> None:
    """A field that has two names is left out of the comparison whichever of them is ignored, and whichever came."""
    reader, names = Reader((ignored,), IEC), ("related_job_id", "relation_job_id")
    records = [{"id": "a"}, *({"id": "a", name: value} for name in names for value in "jk")]

    assert len({_content(reader, record) for record in records}) == 1
    assert _content(reader, {"id": "a", "name": "b"}) != _content(reader, {"id": "a"})


def _content(reader: Reader, record: dict[str, Any]) -> bytes:
    image = reader.read(json.dumps(record).encode())
    assert isinstance(image, Image)
    return image.content


VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: st.text(min_size=1, alphabet=st.characters(exclude_characters="\0", exclude_categories=("Cs",))),
    Kind.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Kind.NUMERAL: st.integers(0, 2**63 - 1).map(str),
    Kind.BOOLEAN: st.booleans(),
    Kind.FLAG: st.sampled_from(["true", "false"]),
    Kind.TIME: st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z"),
    Kind.TAGS: st.lists(st.text("abc", max_size=3), unique=True).map(sorted),
}
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text("ab1", max_size=3), st.lists(st.integers(), max_size=2)
)


@pytest.mark.parametrize("api", APIS.values(), ids=APIS)
@given(data=st.data())
def test_any_image_of_any_api_comes_back(api: Api, data: st.DataObject) -> None:
    """Row to JSON gives back all that came, whatever does not fit its column."""
    fields = {f.api: VALUES[f.kind] | ODD for f in api.fields if f.api != "id"}
    document = data.draw(st.fixed_dictionaries({"id": st.just("a")}, optional=fields | {"unknown": ODD}))
    image = read(document, api)
    again = json.loads(json.dumps(restored(image, api)))

    for name, value in document.items():
        if value not in (None, "") and name != "tags":
            assert again[name] == value or str(again[name]).lower() == str(value).lower()
    assert {name for name, value in again.items() if value not in (None, "")} == {
        name for name, value in document.items() if value not in (None, "")
    }
    assert Reader(api=api).stored(image.values, json.dumps(image.extra)) == image.content
