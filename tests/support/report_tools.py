"""Reports, asked for and read."""

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
    """The command, on this inventory."""
    return Job(folder, edge.url)("report", *arguments)


def as_json(edge: Edge, folder: Path, *arguments: str) -> dict[str, Any]:
    """A report as a program reads it."""
    done = report(edge, folder, "--format", "json", *arguments)
    assert done.code == 0, done.err
    told: dict[str, Any] = json.loads(done.out)
    jsonschema.validate(told, SCHEMA)
    return told
