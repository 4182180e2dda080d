"""The part of kustomize that the manifests in deploy/kubernetes use; anything else there is an error.

With it the manifests can be checked without kubectl; with kubectl, a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
_KNOWN = {"apiVersion", "kind", "resources", "components", "namespace", "images", "labels", "configMapGenerator"}


def resolve(folder: Path) -> list[Manifest]:
    """The manifests that `kubectl kustomize` makes, except for the hash in names of ConfigMaps."""
    own = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert own.keys() <= _KNOWN, f"unknown here: {own.keys() - _KNOWN}"
    manifests = [manifest for name in own.get("resources", []) for manifest in _resource(folder / name)]
    manifests += [_config_map(folder, generator) for generator in own.get("configMapGenerator", [])]
    manifests += [manifest for name in own.get("components", []) for manifest in resolve(folder / name)]
    for manifest in manifests:
        if "namespace" in own:
            manifest["metadata"]["namespace"] = own["namespace"]
        for label in own.get("labels", []):
            _label(manifest, label)
        for container in containers(manifest):
            _rename(container, own.get("images", []))
    return manifests


def pods(manifest: Manifest) -> Iterator[Manifest]:
    """The pod templates in a manifest."""
    spec = manifest.get("spec", {})
    if "jobTemplate" in spec:
        yield spec["jobTemplate"]["spec"]["template"]
    elif "template" in spec:
        yield spec["template"]


def containers(manifest: Manifest) -> Iterator[Manifest]:
    """The containers of a manifest."""
    for pod in pods(manifest):
        yield from pod["spec"]["containers"]


def _resource(path: Path) -> list[Manifest]:
    return resolve(path) if path.is_dir() else [yaml.safe_load(path.read_text())]


def _config_map(folder: Path, generator: Manifest) -> Manifest:
    assert generator.keys() == {"name", "files", "options"}
    metadata = {"name": generator["name"], **generator["options"]}
    data = {name: (folder / name).read_text() for name in generator["files"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _label(manifest: Manifest, label: Manifest) -> None:
    assert label.keys() == {"includeSelectors", "includeTemplates", "pairs"}
    assert (label["includeSelectors"], label["includeTemplates"]) == (False, True)
    spec = manifest.get("spec", {})
    for place in (manifest, *pods(manifest), *([spec["jobTemplate"]] if "jobTemplate" in spec else [])):
        place["metadata"].setdefault("labels", {}).update(label["pairs"])


def _rename(container: Manifest, images: list[Manifest]) -> None:
    for image in images:
        if container["image"] == image["name"]:
            container["image"] = f"{image['newName']}:{image['newTag']}"
