"""One image: equal content has one digest, other content another, and nothing that the cloud sent is lost."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from builders import SAMPLE, canonical, encoded, image, read
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.apis import IEC
from sync.domain.fast_decode import decoder
from sync.domain.fields import COLUMNS, Kind
from sync.domain.image import MAX_ID, MAX_RECORD, Reader, Unreadable, raw_digest, to_json
from sync.domain.values import iso, parse_time
from sync.errors import ContractError

# --- helpers --------------------------------------------------------------------------------------------------------


def columns(document: dict[str, Any] | bytes) -> dict[str, Any]:
    """The values of an image's columns, by column name."""
    return dict(zip(COLUMNS, read(document).values, strict=True))


def round_trip(document: dict[str, Any] | bytes) -> dict[str, Any]:
    """An image written as JSON again."""
    parsed = read(document)
    return to_json(dict(zip(COLUMNS, parsed.values, strict=True)), parsed.extra)


def digest(document: dict[str, Any] | bytes, *ignore: str) -> bytes:
    """The digest of an image's content."""
    return read(document, ignore).content


def unreadable(raw: bytes) -> Unreadable:
    """What the reader makes of a record that is not an image."""
    record = Reader().read(raw)
    assert isinstance(record, Unreadable), record
    assert record.raw == raw
    return record


names = st.sampled_from([*IEC.by_name, "related_job_id", "new_field", "%s", "{}", "'); drop table images --"])
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x or 0.0)
times = st.datetimes(timezones=st.just(UTC)).map(iso) | st.sampled_from(
    ["2020-12-30T03:23:29+08:00", "2020-12-30 03:23:29", "2020-12-30T03:23:29.1234567Z", "0001-01-01T00:00:00+01:00"]
)
scalars = (
    st.none() | st.booleans() | numbers | texts | times | st.sampled_from(["true", "false", "", "40", "040", "-0"])
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
ids = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=MAX_ID).filter(
    lambda text: not any(character.isspace() for character in text)
)
documents = st.builds(lambda rest, name: rest | {"id": name}, st.dictionaries(names | texts, values), ids)


# --- the document's own example -------------------------------------------------------------------------------------


def test_the_sample_fills_its_columns() -> None:
    """Every column of the example has the right value and type."""
    assert {name: value for name, value in columns(SAMPLE).items() if value is not None} == {
        "id": "633724a7-4a4e-11eb-8f73-fa1640aee23e",
        "name": "ces",
        "status": "active",
        "disk_format": "zvhd2",
        "min_disk": 40,
        "min_ram": 0,
        "owner": "2b76febbe5d34eac85d26435c1f15809",
        "protected": False,
        "visibility": "private",
        "created_at": datetime(2020, 12, 30, 3, 23, 29, tzinfo=UTC),
        "updated_at": datetime(2020, 12, 30, 3, 30, 36, tzinfo=UTC),
        "self_link": "/v1/self/633724a7-4a4e-11eb-8f73-fa1640aee23e",
        "vendor_deleted": False,
        "virtual_env_type": "FusionCompute",
        "imagetype": "private",
        "platform": "CentOS",
        "os_type": "Linux",
        "os_version": "CentOS 7.4 64bit",
        "isregistered": True,
        "support_arm": True,
        "hw_firmware_type": "uefi",
        "data_source": "instance:a7c6deda-99eb-4f58-b7b4-04a36b75401b",
        "support_gpu_t4": True,
    }


def test_the_sample_comes_back_exactly() -> None:
    """The example is written as JSON again letter by letter, and nothing of it is in `extra`."""
    sample = read(SAMPLE)

    assert round_trip(SAMPLE) == SAMPLE
    assert json.dumps(round_trip(SAMPLE), sort_keys=True) == json.dumps(SAMPLE, sort_keys=True)
    assert sample.extra == {}
    assert sample.type_mismatches == 0


# --- nothing is lost ------------------------------------------------------------------------------------------------


@given(documents)
def test_any_image_comes_back(document: dict[str, Any]) -> None:
    """The JSON of any image can be restored, whatever its fields and types."""
    restored = round_trip(document)

    assert canonical(_through_json(restored)) == canonical(_through_json(document))


@given(documents)
def test_type_mismatches_are_counted_and_kept(document: dict[str, Any]) -> None:
    """A value is either in its column or in `extra` under the API's name, never in both."""
    parsed = read(document)
    typed = dict(zip((field.api for field in IEC.fields), parsed.values, strict=False))

    names = {field.api for field in IEC.fields if field.alias not in parsed.extra or not field.alias}
    assert parsed.type_mismatches == len(parsed.extra.keys() & names)
    for name in parsed.extra:
        assert typed.get(name) is None or name not in names
        assert _through_json(parsed.extra)[name] == _through_json(document)[name]


@pytest.mark.parametrize(
    ("api", "value"),
    [
        ("min_disk", 2**63),
        ("min_disk", -(2**63) - 1),
        ("min_disk", 40.0),
        ("min_disk", 1.5),
        ("min_disk", True),
        ("min_disk", "forty"),
        ("min_disk", "040"),
        ("min_disk", "+40"),
        ("min_disk", " 40"),
        ("min_disk", "1e3"),
        ("min_disk", "9223372036854775808"),
        ("min_disk", [40]),
        ("protected", 1),
        ("protected", "yes"),
        ("protected", "True"),
        ("__support_kvm", 0),
        ("__support_kvm", "TRUE"),
        ("name", 5),
        ("name", True),
        ("name", {"zh": "x"}),
        ("created_at", 1609298609),
        ("created_at", "2020-12-30"),
        ("created_at", "yesterday"),
        ("deleted_at", "0000-00-00T00:00:00Z"),
        ("updated_at", "2020-12-30T23:59:60Z"),
        ("updated_at", "2020-02-30T00:00:00Z"),
        ("updated_at", "2020-12-30T03:23:29.1234567Z"),
        ("updated_at", "2020-12-30T03:23:29.123456789Z"),
        ("updated_at", "2020-12-30T24:00:00Z"),
        ("updated_at", "0001-01-01T00:00:00+00:01"),
        ("updated_at", "9999-12-31T23:59:59-00:01"),
        ("updated_at", "10000-01-01T00:00:00Z"),
    ],
)
def test_a_value_of_another_type_goes_to_extra(api: str, value: Any) -> None:
    """F04, F10: a value that does not fit its column is kept in `extra` and counted, and the column is empty."""
    parsed = read(image(**{api: value}))

    assert dict(zip(COLUMNS, parsed.values, strict=True))[IEC.by_name[api].column] is None
    assert _through_json(parsed.extra) == _through_json({api: value})
    assert parsed.type_mismatches == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1.0", "1.0"),
        (b"-1.50", "-1.50"),
        (b"1e400", "1" + "0" * 400),  # as PostgreSQL writes it
        (b"-0.0", "0.0"),
        (b"0e5", "0"),
        (b"0e-3", "0.000"),
        (b"0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
    ],
)
def test_numbers_keep_every_digit(text: bytes, expected: str) -> None:
    """F04: no number of the cloud passes through a float."""
    parsed = read(b'{"id":"a","new":%s,"min_disk":%s}' % (text, text))

    assert str(parsed.extra["new"]) == expected
    assert not isinstance(parsed.extra["new"], float)


@pytest.mark.parametrize("value", ["'); drop table inventory.images; --", "%s %(x)s", "{}", "=1+1", "\t\r\n", "\\"])
def test_text_is_stored_unchanged(value: str) -> None:
    """F13: text with SQL, placeholders or formulas is stored unchanged."""
    assert columns(image(name=value))["name"] == value
    assert round_trip(image(name=value))["name"] == value


@pytest.mark.parametrize("value", ["", None, ...])
@pytest.mark.parametrize("field", IEC.fields[1:], ids=lambda field: field.api)
def test_a_value_may_be_missing(field: Any, value: Any) -> None:
    """Absent, null and "" count as no type mismatch in any field, and `deleted_at` comes back as the API writes it."""
    parsed = read(image(**{field.api: value}))
    restored = round_trip(image(**{field.api: value}))

    assert parsed.type_mismatches == 0
    assert restored.get(field.api, "") == ""
    assert (field.api in restored) == (field.blank or (field.kind is Kind.TEXT and value == ""))


# --- equal and different content --------------------------------------------------------------------------------------


def _shuffled(document: dict[str, Any]) -> bytes:
    pairs = list(document.items())
    Random(5).shuffle(pairs)
    return encoded(dict(pairs))


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(_shuffled(SAMPLE), id="order of keys"),
        pytest.param(json.dumps(SAMPLE, indent=3).encode(), id="whitespace"),
        pytest.param(b" \t\r\n" + encoded(SAMPLE) + b"\n", id="blanks around"),
        pytest.param(encoded(SAMPLE).replace(b'"ces"', b'"\\u0063\\u0065s"'), id="escapes"),
        pytest.param(encoded(SAMPLE).replace(b"/v1", b"\\/v1"), id="escaped slash"),
        pytest.param(SAMPLE | {"created_at": "2020-12-30T11:23:29+08:00"}, id="time zone"),
        pytest.param(SAMPLE | {"created_at": "2020-12-29T22:23:29-0500"}, id="time zone without colon"),
        pytest.param(SAMPLE | {"created_at": "2020-12-30T03:23:29"}, id="no time zone"),
        pytest.param(SAMPLE | {"created_at": "2020-12-30 03:23:29Z"}, id="no T"),
        pytest.param(SAMPLE | {"created_at": "2020-12-30t03:23:29z"}, id="small letters"),
        pytest.param(SAMPLE | {"created_at": "2020-12-30T03:23:29.000Z"}, id="zeros"),
        pytest.param(SAMPLE | {"created_at": "2020-12-30T03:23:29.000000000+00:00"}, id="more zeros"),
        pytest.param(SAMPLE | {"min_disk": "40"}, id="number as text"),
        pytest.param(SAMPLE | {"__isregistered": "true"}, id="boolean as text"),
        pytest.param(SAMPLE | {"__support_arm": True}, id="flag as boolean"),
        pytest.param(SAMPLE | {"protected": "false"}, id="false as text"),
        pytest.param(SAMPLE | {"deleted_at": None}, id="null for nothing"),
        pytest.param(image(SAMPLE["id"], deleted_at=...), id="absent for nothing"),
        pytest.param(SAMPLE | {"relation_job_id": ""}, id="nothing for absent"),
        pytest.param(SAMPLE | {"__support_kvm": None}, id="null for an absent flag"),
        pytest.param(SAMPLE | {"related_job_id": ""}, id="an unknown field without a value"),
    ],
)
def test_the_same_content_has_the_same_digest(same: dict[str, Any] | bytes) -> None:
    """F09, F10, F12: the same content in another format has the same digest, though its bytes differ."""
    raw = same if isinstance(same, bytes) else encoded(same)

    assert digest(same) == digest(SAMPLE)
    assert raw_digest(raw) != raw_digest(encoded(SAMPLE))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"id": "other"}, id="id"),
        pytest.param({"name": "Ces"}, id="case"),
        pytest.param({"name": "ces "}, id="blank behind"),
        pytest.param({"name": "c\u00e9s"}, id="letter"),
        pytest.param({"name": "ce\u0301s"}, id="letter, composed otherwise"),
        pytest.param({"min_disk": 41}, id="number"),
        pytest.param({"min_disk": 40.0}, id="number of another kind"),
        pytest.param({"min_ram": None}, id="0 is not nothing"),
        pytest.param({"protected": True}, id="boolean"),
        pytest.param({"protected": None}, id="false is not nothing"),
        pytest.param({"__support_arm": "false"}, id="flag"),
        pytest.param({"__support_arm": ...}, id="flag absent"),
        pytest.param({"created_at": "2020-12-30T03:23:30Z"}, id="second"),
        pytest.param({"created_at": "2020-12-30T03:23:29.000001Z"}, id="microsecond"),
        pytest.param({"created_at": "2020-12-30T03:23:29+01:00"}, id="another zone, another instant"),
        pytest.param({"updated_at": SAMPLE["created_at"]}, id="the other time"),
        pytest.param({"deleted_at": "2020-12-30T03:23:29Z"}, id="vendor's deletion"),
        pytest.param({"new": 0}, id="an unknown field"),
        pytest.param({"new": []}, id="an unknown list"),
        pytest.param({"new": False}, id="an unknown false"),
        pytest.param({"platform": "CentOS"}, id="a column's name that is no field"),
    ],
)
def test_other_content_has_another_digest(other: dict[str, Any]) -> None:
    """Every real change changes the digest."""
    assert digest(image(**({"id": SAMPLE["id"]} | other))) != digest(SAMPLE)


@given(documents, documents)
def test_digests_are_equal_exactly_for_equal_content(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two images have the same digest if and only if their columns and `extra` are equal."""
    other = other | {"id": one["id"]}

    assert (digest(one) == digest(other)) == (_meaning(one) == _meaning(other))


@given(documents, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(document: dict[str, Any], rng: Random) -> None:
    """The order of keys does not change the digest at any depth."""
    assert digest(json.dumps(_shuffled_keys(document, rng)).encode()) == digest(document)


def test_the_order_of_a_list_matters() -> None:
    """The order of a list changes the digest, because only the cloud knows whether it matters."""
    assert digest(image(tags=["a", "b"])) != digest(image(tags=["b", "a"]))


def test_a_field_may_be_ignored() -> None:
    """A change of ignored fields alone does not change the digest, but the fields are stored."""
    changed = image(updated_at="2026-01-01T00:00:00Z", new="b")

    assert digest(changed, "updated_at", "new") == digest(image(new="a"), "updated_at", "new")
    assert digest(changed, "updated_at") != digest(image(new="a"), "updated_at")
    assert columns(changed)["updated_at"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert read(changed, ("updated_at", "new")).extra == {"new": "b"}


def test_two_images_never_have_the_same_digest() -> None:
    """Images with different ids have different digests, even if the id is an ignored field."""
    assert digest(image("a"), "id", "self") != digest(image("b"), "id", "self")


# --- unreadable records -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (..., "no id"),
        (None, "no id"),
        ("", "no id"),
        (7, "not text"),
        (True, "not text"),
        (["a"], "not text"),
        ({"a": 1}, "not text"),
        ("a b", "whitespace"),
        (" a", "whitespace"),
        ("a\n", "whitespace"),
        ("a\u00a0b", "whitespace"),
        ("a\u2028", "whitespace"),
        ("a\0", "whitespace"),
        ("a\x7f", "control"),
        ("x" * (MAX_ID + 1), "longer"),
        ("x" * 12_000, "longer"),
    ],
)
def test_a_record_needs_an_id(value: Any, reason: str) -> None:
    """F06, F03: a record without a valid id is unreadable and has no id."""
    record = unreadable(encoded(image(id=value)) if value is not ... else b'{"name":"nameless"}')

    assert reason in record.reason
    assert record.id is None


def test_the_longest_id_is_accepted() -> None:
    """An id may have 255 characters of any script."""
    assert read(image("\u6587" * MAX_ID)).id == "\u6587" * MAX_ID


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"id":"a","name":"x\\u0000y"}', id="NUL in a name"),
        pytest.param(b'{"id":"a","new":{"k":["x\\u0000"]}}', id="NUL deep in an unknown field"),
        pytest.param(b'{"id":"a","new":{"k\\u0000":1}}', id="NUL in a key"),
        pytest.param(b'{"id":"a","name":"\\ud800"}', id="half a pair"),
        pytest.param(b'{"id":"a","name":"\\udc00\\ud800"}', id="a pair the wrong way round"),
        pytest.param(b'{"id":"a","name":"\xff\xfe"}', id="no UTF-8"),
        pytest.param(b'{"id":"a","name":"\xc0\xaf"}', id="overlong UTF-8"),
        pytest.param(b'{"id":"a","name":"\xed\xa0\x80"}', id="half a pair in UTF-8"),
        pytest.param(b'{"id":"a","min_disk":' + b"9" * 5000 + b"}", id="5,000 digits"),
        pytest.param(b'{"id":"a","min_disk":1e1001}', id="beyond all reason"),
        pytest.param(b'{"id":"a","min_disk":-1e-1001}', id="below all reason"),
    ],
)
def test_a_record_that_cannot_be_stored_keeps_its_id(raw: bytes) -> None:
    """F01, F02, F04: a record that cannot be stored keeps its id, so its image is not missing."""
    assert unreadable(raw).id == "a"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"7",
        b"[]",
        b'"a"',
        b"{",
        b'{"id":"a"',
        b'{"id":"a",}',
        b"{'id':'a'}",
        b'{"id":"a"} x',
        b'{"id":"a","n":01}',
    ],
)
def test_only_an_object_is_an_image(raw: bytes) -> None:
    """A record that is not a JSON object is unreadable."""
    assert unreadable(raw).id is None


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity", b"nul", b"True"])
def test_invalid_json_words_are_refused(word: bytes) -> None:
    """F05: NaN and similar words never reach a column."""
    assert "JSON" in unreadable(b'{"id":"a","min_disk":%s}' % word).reason


@pytest.mark.parametrize("spacing", [b"", b" ", b"\n"])
@pytest.mark.parametrize(
    "pairs",
    [
        b'"id":"a","id":"b"',
        b'"id":"a","name":"x","name":"y"',
        b'"id":"a","new":{"k":1,"k":2}',
        b'"id":"a","\\u0069d":"b"',
    ],
)
def test_a_duplicate_key_is_an_error(pairs: bytes, spacing: bytes) -> None:
    """F05: of two values under one key, neither can be trusted, so the response is an error."""
    with pytest.raises(ContractError, match="same key twice"):
        Reader().read(b"{" + pairs.replace(b'":', b'"' + spacing + b":") + b"}")


def test_a_record_has_a_maximum_size() -> None:
    """F03: a record of exactly one MiB is read, and one byte more is unreadable."""
    empty = len(encoded(image(name="")))

    assert read(image(name="x" * (MAX_RECORD - empty))).type_mismatches == 0
    assert "larger" in unreadable(encoded(image(name="x" * (MAX_RECORD - empty + 1)))).reason


@pytest.mark.parametrize("depth", [300, 600, 2_000, 200_000])
@pytest.mark.parametrize("core", [b'"x"', b'"\\u0000"', b'{"a":1,"b":2}'])
def test_deep_nesting_does_not_end_a_run(depth: int, core: bytes) -> None:
    """F05: a record of any depth is an image or unreadable, but never an exception."""
    raw = b'{"id":"a","new":' + b"[" * depth + core + b"]" * depth + b"}"

    record = Reader().read(raw)

    assert isinstance(record, Unreadable) or record.id == "a"


@given(st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_an_image_or_unreadable(raw: bytes) -> None:
    """Any bytes in the place of an image are an image, unreadable or a contract error."""
    for record in (raw, b'{"id":"a","name":"' + raw + b'"}', b'{"id":' + raw + b"}"):
        try:
            result = Reader().read(record)
        except ContractError:
            continue
        assert isinstance(result, Unreadable) or result.id


# --- times ------------------------------------------------------------------------------------------------------------


USUAL: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: texts.filter(bool),
    Kind.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Kind.BOOLEAN: st.booleans(),
    Kind.FLAG: st.sampled_from(["true", "false"]),
    Kind.TIME: times | st.just(""),
}
usual_images = st.fixed_dictionaries({"id": ids}, optional={f.api: USUAL[f.kind] for f in IEC.fields if f.api != "id"})


@given(usual_images, st.sampled_from([(), ("name", "updated_at")]))
def test_fast_and_careful_decoding_agree(record: dict[str, Any], ignore: tuple[str, ...]) -> None:
    """The fast decoder gives the same image as the careful one, which spaces before the colons force."""
    short, careful = (json.dumps(record, ensure_ascii=False, separators=(",", colon)).encode() for colon in (":", " :"))

    assert decoder(IEC)(careful, bytearray()) is None
    assert Reader(ignore).read(short) == Reader(ignore).read(careful)


def test_ordinary_images_are_decoded_fast() -> None:
    """An ordinary image takes the fast decoder; one with a duplicate key, a null or an odd value does not."""
    raw = encoded(SAMPLE)
    moment = b',"deleted_at":"2020-12-30T03:23:29Z"'
    duplicates = b',"name" :"x","name" :"y","owner":":"'
    odd = [raw[:-1] + more + b"}" for more in (b',"name":"ces"', b',"x":1', b',"owner":null', moment, duplicates)]

    assert decoder(IEC)(raw, bytearray())
    assert [decoder(IEC)(each, bytearray()) for each in odd] == [None] * len(odd)


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_is_an_instant(moment: datetime) -> None:
    """A time in any zone is read as the same instant, to the microsecond."""
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        return
    offset = moment.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        return

    assert parse_time(moment.isoformat()) == expected
    assert parse_time(iso(moment)) == expected


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59Z"])
def test_the_earliest_and_latest_times_are_read(text: str) -> None:
    """The first and last time that a timestamp can hold come back unchanged."""
    assert round_trip(image(created_at=text))["created_at"] == text


@pytest.mark.parametrize("text", ["٢٠٢٠-12-30T03:23:29Z", "2020-12-30T03:23:29.٥Z", "２０２０-12-30T03:23:29Z"])
def test_times_are_written_in_ascii(text: str) -> None:
    """A time with digits of another script is kept in `extra`."""
    assert read(image(created_at=text)).extra == {"created_at": text}


@pytest.mark.parametrize("text", ["1٢", "４0"])
def test_numbers_are_written_in_ascii(text: str) -> None:
    """A number with digits of another script is kept in `extra`."""
    assert read(image(min_disk=text)).extra == {"min_disk": text}


# --- helpers ----------------------------------------------------------------------------------------------------------


def _through_json(document: Any) -> Any:
    """A document after a pass through JSON, with numbers as text so that 1 and 1.0 differ."""
    return json.loads(json.dumps(document, default=_number_text), parse_float=str, parse_int=str)


def _number_text(number: Any) -> Any:
    assert isinstance(number, Decimal)
    return float(number)


def _meaning(document: dict[str, Any]) -> Any:
    """The content of columns and `extra`, in which values that are read as equal are equal."""
    parsed = read(document)
    typed = tuple(None if value in ("", None) else (type(value), value) for value in parsed.values)
    return typed, _extra_text({name: _loose(value) for name, value in parsed.extra.items()})


def _loose(value: Any) -> Any:
    return {"": None, "true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _extra_text(extra: dict[str, Any]) -> str:
    present = {name: value for name, value in extra.items() if value is not None}
    return json.dumps(present, sort_keys=True, default=lambda number: {"decimal": str(number)})


def _shuffled_keys(value: Any, rng: Random) -> Any:
    if isinstance(value, dict):
        pairs = [(name, _shuffled_keys(item, rng)) for name, item in value.items()]
        rng.shuffle(pairs)
        return dict(pairs)
    if isinstance(value, list):
        return [_shuffled_keys(item, rng) for item in value]
    assert not isinstance(value, float) or math.isfinite(value)
    return value
