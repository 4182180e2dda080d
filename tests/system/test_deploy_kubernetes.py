"""The manifests in deploy/kubernetes fit this program, and Kubernetes accepts them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from checkout import CHECKOUT
from deploy_tools import DEPLOY, OVERLAYS, VARIABLES, WITHHELD, carried_out, understand
from kustomize import containers, pods, resolve

from sync import __version__, wiring
from sync.errors import ImageSyncError, SettingsError, SupersededError
from sync.settings import Settings

KUBERNETES = ("1.33", "1.37")  # the oldest with every field used here, and the newest known


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """All manifests of one overlay."""
    return resolve(DEPLOY / "kubernetes" / "overlays" / request.param)


@pytest.mark.parametrize("name", OVERLAYS)
def test_manifests_equal_those_of_kubectl(name: str) -> None:
    """`kubectl kustomize` gives exactly the manifests that the tests below check."""
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl here, and none new enough in Debian")
    folder = DEPLOY / "kubernetes" / "overlays" / name
    done = carried_out("kubectl", "kustomize", str(folder))
    hashed = re.sub(r"\bimage-sync-[0-9a-z]{10}$", "image-sync", done.stdout, flags=re.MULTILINE)

    theirs = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(hashed)}
    assert theirs == {(each["kind"], each["metadata"]["name"]): each for each in resolve(folder)}, done.stderr


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_are_valid(overlay: list[dict[str, Any]], version: str) -> None:
    """Each manifest is valid and has only known fields; PodMonitor by a schema of the fields used here."""
    own = json.loads((CHECKOUT / "tests" / "support" / "data" / "pod-monitor.schema.json").read_text())
    for manifest in overlay:
        if manifest["kind"] == "PodMonitor":
            jsonschema.validate(manifest, own)
        else:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_would_be_found(overlay: list[dict[str, Any]]) -> None:
    """The check above can fail: an unknown field is refused."""
    (job,) = (each for each in overlay if each["kind"] == "Job")
    job["spec"]["podReplacmentPolicy"] = "Failed"

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, KUBERNETES[0], strict=True)


def test_pods_are_restricted(overlay: list[dict[str, Any]]) -> None:
    """Every pod meets the Pod Security Standard `restricted`, with a read-only root and no cluster token."""
    specs = [pod["spec"] for manifest in overlay for pod in pods(manifest)]
    assert len(specs) == 2
    for spec in specs:
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any("hostPath" in volume for volume in spec["volumes"])
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"mountPath": "/tmp", "name": "tmp"} in container["volumeMounts"]  # noqa: S108 - the place to write to
            assert container["resources"].keys() == {"requests", "limits"}


def test_everything_is_labelled(overlay: list[dict[str, Any]]) -> None:
    """Each resource and each pod has the standard labels, with the version of this program."""
    for labelled in (*overlay, *(pod for manifest in overlay for pod in pods(manifest))):
        labels = {
            name.removeprefix("app.kubernetes.io/"): text for name, text in labelled["metadata"]["labels"].items()
        }
        assert labels.keys() == {"name", "instance", "component", "part-of", "managed-by", "version"}
        assert (labels["name"], labels["version"]) == ("image-sync", __version__)


def test_commands_of_pods_are_accepted(overlay: list[dict[str, Any]]) -> None:
    """The command line accepts the arguments of each container."""
    for container in (each for manifest in overlay for each in containers(manifest)):
        values = {"JOB_COMPLETION_INDEX": "7"} | {each["name"]: each["value"] for each in container.get("env", [])}
        understand([_expanded(text, values) for text in container["args"]])


def test_settings_of_pods_are_valid(overlay: list[dict[str, Any]], tmp_path: Path) -> None:
    """The settings file is valid with the mounted secrets, and all variables are settings."""
    (text,) = (each["data"]["image-sync.toml"] for each in overlay if each["kind"] == "ConfigMap")
    mounts = {mount["mountPath"] for each in overlay for box in containers(each) for mount in box["volumeMounts"]}
    assert [source.api for source in load(text, tmp_path, mounts).sources] == ["iec", "iec"]
    variables = {each["name"] for manifest in overlay for box in containers(manifest) for each in box.get("env", [])}
    assert {name for name in variables if name.startswith("IMAGE_SYNC_")} <= VARIABLES


def test_settings_in_the_readme_are_valid(overlay: list[dict[str, Any]], tmp_path: Path) -> None:
    """The page has settings for the other APIs, which are valid with the same mounts."""
    page = (DEPLOY / "kubernetes" / "README.md").read_text(encoding="utf-8")
    mounts = {mount["mountPath"] for each in overlay for box in containers(each) for mount in box["volumeMounts"]}
    loaded = [load(text, tmp_path, mounts) for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]

    assert [source.api for each in loaded for source in each.sources] == ["ims", "glance"]


def load(text: str, folder: Path, mounts: set[str]) -> Settings:
    """Load a settings file whose secrets are mounted."""
    named = set(re.findall(r'"(/run/secrets/\w+)/(\w+)"', text))
    for place, name in named:
        (folder / place[1:]).mkdir(parents=True, exist_ok=True)
        (folder / place[1:] / name).write_text("postgresql://writer@db.example.org/inventory")
    (folder / "image-sync.toml").write_text(text.replace('"/run/', f'"{folder}/run/'))
    assert {place for place, _ in named} <= mounts
    return wiring.load({}, folder / "image-sync.toml")


def test_jobs_retry_only_failures(overlay: list[dict[str, Any]]) -> None:
    """A Job retries failures, but no exit code that would repeat; a drained node does not count."""
    final = {SettingsError.exit_code, SupersededError.exit_code, WITHHELD}
    for job in (
        each["spec"].get("jobTemplate", each)["spec"] for each in overlay if each["kind"] in {"Job", "CronJob"}
    ):
        by_code, by_condition = job["podFailurePolicy"]["rules"]
        values = set(by_code["onExitCodes"]["values"])
        migrates = job["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "migration"
        assert values == ({SettingsError.exit_code} if migrates else final)
        assert by_condition["action"] == "Ignore"
        assert job["podReplacementPolicy"] == "Failed"
        assert job.get("backoffLimit", job.get("backoffLimitPerIndex")) > 0
        assert ImageSyncError.exit_code not in values


def test_every_shard_has_an_index() -> None:
    """There are as many indexes as shards, so that no source is left out."""
    manifests = resolve(DEPLOY / "kubernetes" / "overlays" / "shards")
    (job,) = (each["spec"]["jobTemplate"]["spec"] for each in manifests if each["kind"] == "CronJob")
    (container,) = job["template"]["spec"]["containers"]

    assert {"name": "SHARDS", "value": str(job["completions"])} in container["env"]
    assert job["maxFailedIndexes"] == job["completions"]


def test_probes_and_monitor_use_the_listening_port() -> None:
    """Probes, monitor and network policy use the port of the command."""
    manifests = {each["kind"]: each for each in resolve(DEPLOY / "kubernetes" / "overlays" / "scheduler")}
    (container,) = containers(manifests["Deployment"])
    (port,) = container["ports"]

    assert container["args"][-1] == f"0.0.0.0:{port['containerPort']}"
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert [probe["path"] for probe in probes.values()] == ["/healthz", "/healthz", "/readyz"]
    assert manifests["PodMonitor"]["spec"]["podMetricsEndpoints"][0]["port"] == port["name"]
    assert manifests["NetworkPolicy"]["spec"]["ingress"][0]["ports"][0]["port"] == port["containerPort"]
    selector = manifests["PodMonitor"]["spec"]["selector"]["matchLabels"].items()
    assert selector <= manifests["Deployment"]["spec"]["template"]["metadata"]["labels"].items()


def _expanded(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], text)
