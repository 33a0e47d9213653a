"""The cluster's example: valid by Kubernetes' schemas, restricted, with probes and secrets."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.deploy.tools import DEPLOY, program, run

KUSTOMIZATION: dict[str, Any] = YAML(typ="safe").load(DEPLOY / "kustomization.yaml")
RESOURCES: list[dict[str, Any]] = [
    resource
    for path in KUSTOMIZATION["resources"]
    for resource in YAML(typ="safe").load_all(DEPLOY / path)
]
WORKLOADS = [each for each in RESOURCES if each["kind"] in ("Deployment", "StatefulSet", "Job")]


def named(workload: dict[str, Any]) -> str:
    name: str = workload["metadata"]["name"]
    return name


def test_kubernetes_schemas_take_what_kustomize_makes(deployed: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.yaml"
    made.write_text(run(program("kubectl"), "kustomize", deployed))
    text = run(program("kubernetes-validate"), "--strict", made)
    assert text.count(" passed ") == text.count("\n")
    assert text.count(" passed ") == len(RESOURCES) + 11  # settings, valkey.conf, nine secrets


@pytest.mark.parametrize("workload", WORKLOADS, ids=named)
def test_a_pod_is_restricted(workload: dict[str, Any]) -> None:
    """By the rules of the pod security standard `restricted`, which the namespace enforces."""
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        locked = container["securityContext"]
        assert locked["allowPrivilegeEscalation"] is False
        assert locked["readOnlyRootFilesystem"]
        assert locked["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        if workload["kind"] != "Job":
            assert "livenessProbe" in container
            assert {"startupProbe", "readinessProbe"} & set(container)
    if pod["containers"][0]["image"].startswith("nightshelf-night"):
        assert pod["enableServiceLinks"] is False, "PREFECT_PORT is a setting of Prefect's"


@pytest.mark.parametrize("workload", WORKLOADS, ids=named)
def test_its_secrets_and_settings_are_made(workload: dict[str, Any], deployed: Path) -> None:
    secrets = {each["name"]: each for each in KUSTOMIZATION["secretGenerator"]}
    settings = {each["name"] for each in KUSTOMIZATION["configMapGenerator"]}
    for each in secrets.values():
        (file,) = each.get("envs", []) + each.get("files", [])
        assert (deployed / file).is_file()
    pod = workload["spec"]["template"]["spec"]
    used = [e["secretRef"]["name"] for c in pod["containers"] for e in c.get("envFrom", [])]
    for volume in pod.get("volumes", []):
        parts = volume.get("projected", {}).get("sources", [volume])
        used += [part["secret"]["name"] for part in parts if "secret" in part]
        assert {part["configMap"]["name"] for part in parts if "configMap" in part} <= settings
    assert set(used) <= set(secrets)
    mounts = {m["name"] for c in pod["containers"] for m in c.get("volumeMounts", [])}
    claims = {v["metadata"]["name"] for v in workload["spec"].get("volumeClaimTemplates", [])}
    assert mounts == {v["name"] for v in pod.get("volumes", [])} | claims


def test_every_selector_finds_its_pods() -> None:
    labels = [w["spec"]["template"]["metadata"]["labels"] for w in WORKLOADS]
    for resource in RESOURCES:
        spec = resource.get("spec", {})
        if resource["kind"] == "Service":
            wanted = spec["selector"]
        elif resource["kind"] in ("NetworkPolicy", "PodDisruptionBudget"):
            wanted = spec.get("podSelector", spec.get("selector"))["matchLabels"]
        else:
            continue
        assert any(wanted.items() <= each.items() for each in labels), resource["metadata"]["name"]
