"""dlt as its documentation has it: write disposition scd2, and the faster of its loaders for PostgreSQL, csv."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import dlt
import httpx

LIMIT = 500


def main() -> None:
    """Sync once."""
    folder = os.environ["BENCH_FOLDER"]
    os.environ |= {"DLT_DATA_DIR": folder, "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    pipeline = dlt.pipeline(
        pipeline_name="image",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(credentials(os.environ["BENCH_DATABASE_URL"])),
        dataset_name="peer",
    )
    strategy = {"disposition": "merge", "strategy": "scd2"}
    resource = dlt.resource(images, name="image", write_disposition=strategy)
    pipeline.run(resource, loader_file_format="csv").raise_on_failed_jobs()


def images() -> Iterator[list[dict[str, Any]]]:
    """All pages, one after the other."""
    headers = {"X-Auth-Token": os.environ["BENCH_TOKEN"]}
    with httpx.Client(base_url=os.environ["BENCH_ENDPOINT"], headers=headers, trust_env=False) as client:
        offset, total = 0, 1
        while offset < total:
            query: dict[str, str | int] = {
                "limit": LIMIT,
                "offset": offset,
                "sort_key": "created_at",
                "sort_dir": "asc",
            }
            answer = client.get("/v1/images", params=query).raise_for_status().json()
            yield answer["images"]
            offset, total = offset + LIMIT, answer["total"]


def credentials(url: str) -> str:
    """The URL in the form dlt asks for, with a password and a host; libpq then takes the host of the query."""
    return url.replace("@/", ":unused@localhost/", 1)


if __name__ == "__main__":
    main()
