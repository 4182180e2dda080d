"""One answer is cut into images without reading more of them than the proof needs; what is no answer is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from builders import SAMPLE, answer, body, encoded, image, read
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.answer import read_answer
from sync.errors import BrokenAnswerError, ContractError


def test_images_keep_their_bytes() -> None:
    """Each image is the bytes that came, blanks, order and all; a page knows where it stands."""
    odd = b'{ "name" :"\\u0078",\n "id":"b"}'

    found = answer(SAMPLE, odd, offset=490, total=700)

    assert [bytes(raw) for raw in found.images] == [encoded(SAMPLE), odd]
    assert [row.id for row in found.rows] == [SAMPLE["id"], "b"]
    assert (found.offset, found.count, found.total) == (490, 2, 700)
    assert found.rows[0].created_at == datetime(2020, 12, 30, 3, 23, 29, tzinfo=UTC)


def test_an_empty_list_is_an_answer() -> None:
    """No image matches: that is an answer, and total says so."""
    found = answer()

    assert found.images == []
    assert (found.count, found.total, found.first_id, found.last_id) == (0, 0, None, None)


@pytest.mark.parametrize("total", ["1", -1, 1.0, True, [1], {"n": 1}])
def test_total_is_a_number_or_nothing(total: Any) -> None:
    """A10: what is no count is taken as no total."""
    assert answer(SAMPLE, total=total).total is None


def test_total_may_be_missing() -> None:
    """A10: an answer without total is an answer."""
    assert read_answer(b'{"images":[]}', 0).total is None
    assert read_answer(b'{"images":[],"total":null}', 0).total is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"images":null}',
        b'{"images":{}}',
        b'{"images":"none"}',
        b'{"total":0}',
        b"{}",
        b"[]",
        b"null",
        b'"images"',
        b"0",
        b'{"error_code":"IEC.000000","error_msg":"Internal error"}',
        b'{"Images":[]}',
    ],
)
def test_no_list_is_never_an_empty_list(raw: bytes) -> None:
    """B06: without a list of images there is no answer, whatever the status was."""
    with pytest.raises(ContractError, match="no list of images"):
        read_answer(raw, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"images":[',
        b'{"images":[]} and more',
        b'{"images":[],}',
        b"\xff\xfe{}",
        b'{"images":[NaN],"total":1}',
        b'{"images":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    ],
)
def test_no_json_is_broken(raw: bytes) -> None:
    """F05, B07: what is not complete JSON is worth another try, and never half an answer."""
    with pytest.raises((BrokenAnswerError, ContractError)):
        read_answer(raw, 0)


@pytest.mark.parametrize("start", [b"<html>", b"\n <!DOCTYPE html>", b"<?xml version='1.0'?>", b"<HTML>"])
def test_a_web_page_is_named(start: bytes) -> None:
    """A portal or proxy in between is told apart from a cut answer."""
    with pytest.raises(BrokenAnswerError, match="web page"):
        read_answer(start + b"please log in", 0)


@pytest.mark.parametrize("size", range(0, 1400, 7))
def test_a_cut_answer_is_never_taken(size: int) -> None:
    """B07: cut anywhere, it is no answer."""
    whole = body(SAMPLE, image("b"))

    with pytest.raises(BrokenAnswerError):
        read_answer(whole[: min(size, len(whole) - 1)], 0)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"images":[],"images":[{"id":"a"}]}',
        b'{"images":[{"id":"a"}],"total":1,"images":[],"total":0}',
        b'{"images":[],"total":0,"total":1}',
    ],
)
def test_no_key_of_an_answer_comes_twice(raw: bytes) -> None:
    """F05: of two lists, or two totals, none is believed."""
    with pytest.raises(ContractError, match="twice"):
        read_answer(raw, 0)


def test_a_word_in_a_text_is_no_key() -> None:
    """An image may be called images, or total."""
    found = answer(image("a", name='"images"'), image("b", total="x", images="y"))

    assert [row.id for row in found.rows] == ["a", "b"]


@pytest.mark.parametrize("odd", [b"null", b"7", b'"a"', b"[]", b"true", b'[{"id":"b"}]'])
def test_what_is_no_image_is_one_row(odd: bytes) -> None:
    """Something else among the images is handed on as it came, with no id; the others are read."""
    found = answer(image("a"), odd, image("c"))

    assert [row.id for row in found.rows] == ["a", "", "c"]
    assert bytes(found.images[1]) == odd


@pytest.mark.parametrize("name", [None, 7, ["a"], {"a": 1}, True])
def test_an_id_that_is_no_text_is_no_id(name: Any) -> None:
    """F06: the row counts as a row and names nothing."""
    assert answer(image(name)).rows[0].id == ""


def test_half_a_pair_spoils_one_image() -> None:
    """F02: an escape that is no character keeps its image out, and no other; its id is still read."""
    found = answer(image("a"), b'{"id":"b","name":"\\ud83d"}', image("c"), total=3)

    assert [row.id for row in found.rows] == ["a", "b", "c"]
    assert json.loads(bytes(found.images[1])) == {"id": "b", "name": "\ud83d"}
    assert json.loads(bytes(found.images[0])) == image("a")
    assert found.total == 3


@pytest.mark.parametrize("number", [b"0.1", b"1e400", b"0.1000000000000000055511151231257827", b"1.50", b"9" * 30])
def test_half_a_pair_leaves_other_images_alone(number: bytes) -> None:
    """F02: the images beside the spoilt one say what they said, to the last digit."""
    beside = b'{"id":"c","new":%s}' % number

    found = answer(b'{"id":"b","name":"\\ud83d"}', beside)

    assert read(bytes(found.images[1])).content == read(beside).content


@given(st.binary(max_size=80))
def test_no_body_ends_in_anything_else(raw: bytes) -> None:
    """Whatever comes is an answer or one of two errors."""
    for text in (raw, b'{"images":[' + raw + b"]}", b'{"images":[{"id":"' + raw + b'"}],"total":1}'):
        try:
            found = read_answer(text, 0)
        except (BrokenAnswerError, ContractError):
            continue
        assert len(found.images) == found.count
