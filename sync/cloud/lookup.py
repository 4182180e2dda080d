"""One image, looked up by its id: is it still there, whatever list it is in?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

from sync.cloud.client import Client
from sync.domain.answer import Answer, read_answer, read_one
from sync.errors import ContractError
from sync.transport import Response


def look_up(client: Client, filter: Mapping[str, str], image_id: str) -> Answer:
    """Look up one image without the filter: one that left the filter is not gone.

    Returns:
        The answer that has the image, or one without images: the cloud does not have it, or does not show it.

    Raises:
        ContractError: the answer says neither that the image is there nor that it is gone.
        CloudError: see ``Client.get``.
    """
    if client.api.image_path:
        return _by_address(client, image_id)
    for query in client.api.lookup_queries(filter, image_id):
        answer = _in_list(client, query, image_id)
        if answer.images:
            break
    return answer


def _in_list(client: Client, query: Mapping[str, str], image_id: str) -> Answer:
    answer = client.get(client.api.path, query, lambda response: read_answer(response.content))
    if not answer.images and client.api.counted and answer.total != 0:
        total = "is not usable" if answer.total is None else f"says {answer.total}"
        raise ContractError(f"the answer about one id has no image, and total {total}")
    if any(row.id != image_id for row in answer.rows):
        raise ContractError("the answer about one id has other images: the cloud ignores the id")
    return answer


def _by_address(client: Client, image_id: str) -> Answer:
    def read(response: Response) -> Answer:
        if response.status == HTTPStatus.NOT_FOUND:
            if client.api.own_header not in response.headers or not _names(response.content, image_id):
                raise client.failure(response)
            return Answer(0, (), None, [])
        return read_one(response.content)

    path = client.api.image_path.format(id=quote(image_id, safe=""))
    answer = client.get(path, {}, read, (HTTPStatus.OK, HTTPStatus.NOT_FOUND))
    if any(row.id != image_id for row in answer.rows):
        raise ContractError("the answer about one id is another image")
    return answer


def _names(body: bytes, image_id: str) -> bool:
    """Whether a sentence is about the image, as one of the API itself is.

    Whatever stands in between may say 404, too; it may quote the address, and so the id, but only behind a slash.
    """
    return re.search(rb"\s" + re.escape(image_id.encode()) + rb"(?![\w-])", body) is not None
