"""The keys that docstrings begin with are defined in one table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from checkout import TESTS

KEY = re.compile(r"\b(?:[A-H]\d\d|I\d{1,2})\b")
SPAN = re.compile(r"\b([A-H])(\d\d)-\1(\d\d)\b")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings() -> Iterator[str]:
    """Every docstring of the tests except this module's."""
    for path in TESTS.rglob("*.py"):
        if path != Path(__file__):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
                    yield text


def keys(text: str) -> set[str]:
    """The keys in a text, including those within a span like F01-F04."""
    spans = (f"{letter}{n:02}" for letter, first, last in SPAN.findall(text) for n in range(int(first), int(last) + 1))
    return {*KEY.findall(text), *spans}


def test_keys_are_found() -> None:
    """Keys are found alone, in a list and in a span; similar words are not taken for keys."""
    assert keys("D01, I2: killed") == {"D01", "I2"}
    assert keys("F01-F04: all") == {"F01", "F02", "F03", "F04"}
    assert keys("SHA256, A4 paper, 1I2, IPv4, F1") == set()


def test_every_key_is_defined_once_and_used() -> None:
    """The table in the tests' README has exactly one row for each key that a test uses."""
    page = (TESTS / "README.md").read_text(encoding="utf-8")
    defined = re.findall(r"^\| ([A-I]\d{1,2}) \| \S", page, re.MULTILINE)
    used = set().union(*map(keys, docstrings()))
    checked = set(re.findall(r"\b(I\d{1,2}): ", (TESTS / "support" / "invariants.py").read_text(encoding="utf-8")))

    assert len(defined) == len(set(defined))
    assert used | checked == set(defined)
