"""Run the report command and read its output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from checkout import CHECKOUT
from cli_tools import Done, Job
from store_tools import Edge

SCHEMA = json.loads((CHECKOUT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
NASTY = "=1+1 </b><script>x</script> [bold](http://x) @all \x1b[31m\u202e\n| `y`"


def report(edge: Edge, folder: Path, *arguments: str) -> Done:
    """Run the command on this inventory."""
    return Job(folder, edge.url)("report", *arguments)


def as_json(edge: Edge, folder: Path, *arguments: str) -> dict[str, Any]:
    """A report as JSON, checked against its schema."""
    done = report(edge, folder, "--format", "json", *arguments)
    assert done.code == 0, done.err
    document: dict[str, Any] = json.loads(done.out)
    jsonschema.validate(document, SCHEMA)
    return document
