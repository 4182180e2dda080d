"""A response is split into images without decoding more than the proof needs; anything else is a named error."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from datetime import UTC, datetime
from typing import Any

import pytest
from builders import SAMPLE, answer, body, encoded, image, read
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.answer import read_answer
from sync.domain.proof.page import PageRequest
from sync.errors import BrokenAnswerError, ContractError


def test_images_keep_their_bytes() -> None:
    """Each image keeps its exact bytes, and the page its offset, count and total."""
    spaced = b'{ "name" :"\\u0078",\n "id":"b"}'

    page = answer(SAMPLE, spaced, offset=490, total=700)

    assert [bytes(raw) for raw in page.images] == [encoded(SAMPLE), spaced]
    assert [row.id for row in page.rows] == [SAMPLE["id"], "b"]
    assert (page.offset, page.count, page.total) == (490, 2, 700)
    assert page.rows[0].created_at == datetime(2020, 12, 30, 3, 23, 29, tzinfo=UTC)


def test_a_byte_order_mark_is_ignored() -> None:
    """An answer may begin with a byte order mark: its images are the same bytes, and a web page is still named."""
    plain, marked = (read_answer(mark + body(SAMPLE, total=1), 0) for mark in (b"", BOM_UTF8))

    assert [bytes(raw) for raw in marked.images] == [bytes(raw) for raw in plain.images] == [encoded(SAMPLE)]
    assert (marked.rows, marked.total) == (plain.rows, 1)
    with pytest.raises(BrokenAnswerError, match="web page"):
        read_answer(BOM_UTF8 + b"<!DOCTYPE html>", 0)
    with pytest.raises(BrokenAnswerError):
        read_answer(BOM_UTF8 * 2 + body(SAMPLE), 0)


def test_an_empty_list_is_valid() -> None:
    """An empty list with total 0 is valid."""
    page = answer()

    assert page.images == []
    assert (page.count, page.total) == (0, 0)


@pytest.mark.parametrize("total", ["1", -1, 1.0, True, [1], {"n": 1}])
def test_an_invalid_total_is_ignored(total: Any) -> None:
    """A10: a total that is not a count is read as missing."""
    assert answer(SAMPLE, total=total).total is None


def test_total_may_be_missing() -> None:
    """A10: a page without a total is valid."""
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
def test_a_missing_list_is_never_an_empty_list(raw: bytes) -> None:
    """B06: a body without a list of images is an error, whatever the status."""
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
def test_incomplete_json_is_an_error(raw: bytes) -> None:
    """F05, B07: JSON that is incomplete or invalid is an error, so no part of it is used."""
    with pytest.raises((BrokenAnswerError, ContractError)):
        read_answer(raw, 0)


@pytest.mark.parametrize("start", [b"<html>", b"\n <!DOCTYPE html>", b"<?xml version='1.0'?>", b"<HTML>"])
def test_a_web_page_is_named(start: bytes) -> None:
    """An HTML page, as from a proxy or portal, is called a web page and not a cut response."""
    with pytest.raises(BrokenAnswerError, match="web page"):
        read_answer(start + b"please log in", 0)


@pytest.mark.parametrize("size", range(0, 1400, 7))
def test_a_cut_response_is_an_error(size: int) -> None:
    """B07: a response cut at any byte is an error."""
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
def test_a_duplicate_key_is_an_error(raw: bytes) -> None:
    """F05: a response with two lists or two totals is an error."""
    with pytest.raises(ContractError, match="twice"):
        read_answer(raw, 0)


def test_a_value_is_not_a_key() -> None:
    """An image may have the name "images" or fields named total and images."""
    page = answer(image("a", name='"images"'), image("b", total="x", images="y"))

    assert [row.id for row in page.rows] == ["a", "b"]


@pytest.mark.parametrize("raw", [b"null", b"7", b'"a"', b"[]", b"true", b'[{"id":"b"}]'])
def test_a_row_that_is_no_image_is_kept(raw: bytes) -> None:
    """A row that is not an image is kept as it came, without an id, and the other rows are read."""
    page = answer(image("a"), raw, image("c"))

    assert [row.id for row in page.rows] == ["a", "", "c"]
    assert bytes(page.images[1]) == raw


@pytest.mark.parametrize("name", [None, 7, ["a"], {"a": 1}, True])
def test_an_id_that_is_no_text_is_no_id(name: Any) -> None:
    """F06: a row whose id is not text counts as a row without an id."""
    assert answer(image(name)).rows[0].id == ""


def test_a_lone_surrogate_affects_one_image() -> None:
    """F02: a lone surrogate affects only its own image, whose id is still read."""
    page = answer(image("a"), b'{"id":"b","name":"\\ud83d"}', image("c"), total=3)

    assert [row.id for row in page.rows] == ["a", "b", "c"]
    assert json.loads(bytes(page.images[1])) == {"id": "b", "name": "\ud83d"}
    assert json.loads(bytes(page.images[0])) == image("a")
    assert page.total == 3


@pytest.mark.parametrize("number", [b"0.1", b"1e400", b"0.1000000000000000055511151231257827", b"1.50", b"9" * 30])
def test_a_lone_surrogate_leaves_other_images_exact(number: bytes) -> None:
    """F02: the images next to a lone surrogate keep their values to the last digit."""
    beside = b'{"id":"c","new":%s}' % number

    page = answer(b'{"id":"b","name":"\\ud83d"}', beside)

    assert read(bytes(page.images[1])).content == read(beside).content


@given(st.binary(max_size=80))
def test_any_body_is_a_page_or_an_error(raw: bytes) -> None:
    """Any bytes are a valid page or one of two errors."""
    for text in (raw, b'{"images":[' + raw + b"]}", b'{"images":[{"id":"' + raw + b'"}],"total":1}'):
        try:
            page = read_answer(text, 0)
        except (BrokenAnswerError, ContractError):
            continue
        assert len(page.images) == page.count


def test_an_answer_knows_its_request() -> None:
    """An answer carries what was requested, so that the proof needs nothing else."""
    page = read_answer(body(SAMPLE), marker="img-0", part="hidden")

    assert page.request == PageRequest(marker="img-0", part="hidden")
    assert read_answer(body(SAMPLE), 490).request == PageRequest(490)
    assert page.only({"img-1"}).request == page.request
