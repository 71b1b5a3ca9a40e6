"""The Kubernetes manifests are valid, and run what docker-compose.yml runs."""

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from visibility.launcher.instance_lock_and_environment import CHECKOUT

FOLDER = CHECKOUT / "docs" / "kubernetes"
KUSTOMIZATION, SECRETS = FOLDER / "kustomization.yaml", FOLDER / "secret.example.yaml"
FILES = sorted(path for path in FOLDER.iterdir() if path != KUSTOMIZATION)
# The oldest version whose `preStop` can sleep, and the newest that the validator knows.
VERSIONS = ("1.30", kubernetes_validate.latest_version().removesuffix(".0"))
PROCESSES = ("web", "worker", "scheduler")
# A setting that is set, or commented out for those who need it.
SETTING = re.compile(r"^  (?:# )?([A-Z_]+):", re.M)
NOT_IN_A_CONFIGMAP = re.compile(r"SECRET|PASSWORD|TOKEN|DATABASE_URL|REDIS_URL")


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


ALL = [item for path in FILES for item in documents(path)]
COMPOSE: Any = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]


def find(kind: str, name: str = "throughline") -> dict[str, Any]:
    (manifest,) = (item for item in ALL if (item["kind"], item["metadata"]["name"]) == (kind, name))
    return manifest


def pod_of(process: str) -> dict[str, Any]:
    kind = "Job" if process == "migrate" else "Deployment"
    pod: dict[str, Any] = find(kind, f"throughline-{process}")["spec"]["template"]["spec"]
    return pod


def container_of(process: str) -> dict[str, Any]:
    (container,) = pod_of(process)["containers"]
    assert container["name"] == process
    return dict(container)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_manifest_follows_the_schema_of_kubernetes(path: Path, version: str) -> None:
    for item in documents(path):
        assert kubernetes_validate.validate(item, version, strict=True) == version
        if item["kind"] != "Namespace":
            assert item["metadata"]["namespace"] == "throughline"


def test_a_field_that_kubernetes_does_not_know_is_refused() -> None:
    wrong = copy.deepcopy(find("Deployment", "throughline-web"))
    (container,) = wrong["spec"]["template"]["spec"]["containers"]
    container["readynessProbe"] = container.pop("readinessProbe")
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_kustomization_contains_all_but_the_secrets_and_names_the_image() -> None:
    (kustomization,) = documents(KUSTOMIZATION)
    named = [FOLDER / name for name in kustomization["resources"]]
    assert sorted([*named, SECRETS]) == FILES
    (image,) = kustomization["images"]
    assert image["name"] == COMPOSE["web"]["image"]
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert image["newTag"] == project["version"]


@pytest.mark.parametrize("process", ["migrate", *PROCESSES])
def test_process_runs_the_image_and_the_command_of_the_compose_file(process: str) -> None:
    container = container_of(process)
    assert container["command"] == COMPOSE[process]["command"]
    assert container["image"] == COMPOSE[process]["image"]


def test_settings_are_those_of_the_compose_file() -> None:
    configured = SETTING.findall((FOLDER / "configmap.yaml").read_text())
    common, migrations = SECRETS.read_text().split("\n---\n")
    secret = SETTING.findall(common)
    assert sorted(configured + secret) == sorted(COMPOSE["web"]["environment"])
    assert [name for name in configured if NOT_IN_A_CONFIGMAP.search(name)] == []
    names_of_migrations = {*configured, *secret, *SETTING.findall(migrations)}
    assert names_of_migrations == set(COMPOSE["migrate"]["environment"])


@pytest.mark.parametrize("process", ["migrate", *PROCESSES])
def test_containers_have_the_settings_and_only_migrations_the_owner(process: str) -> None:
    pod = pod_of(process)
    sources = [{"configMapRef": {"name": "throughline"}}, {"secretRef": {"name": "throughline"}}]
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        assert container["envFrom"] == sources
    keys = {
        item["name"]: item["valueFrom"]["secretKeyRef"]
        for item in pod["containers"][0].get("env", [])
    }
    owner = find("Secret", "throughline-migrations")
    expected = set(owner["stringData"]) if process == "migrate" else set()
    assert set(keys) == expected
    for name, key in keys.items():
        assert key == {"name": owner["metadata"]["name"], "key": name}


@pytest.mark.parametrize("process", PROCESSES)
def test_processes_wait_for_the_migrations(process: str) -> None:
    (container,) = pod_of(process)["initContainers"]
    assert "manage.py migrate --check" in container["command"][-1]


def test_ports_lead_from_the_ingress_to_the_web_server() -> None:
    (published,) = COMPOSE["web"]["ports"]
    (port,) = container_of("web")["ports"]
    assert port["containerPort"] == int(published.rpartition(":")[2])
    service = find("Service")
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    template = find("Deployment", "throughline-web")["spec"]["template"]
    assert service["spec"]["selector"] == template["metadata"]["labels"]
    (rule,) = find("Ingress")["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"]["name"] == service["spec"]["ports"][0]["name"]
    settings = find("ConfigMap")["data"]
    assert settings["PUBLIC_URL"] == f"https://{rule['host']}"
    assert rule["host"] in settings["ALLOWED_HOSTS"].split(",")


def test_probes_ask_for_life_and_readiness_with_an_accepted_host() -> None:
    web = container_of("web")
    paths = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    for probe, path in paths.items():
        request = web[probe]["httpGet"]
        assert (request["path"], request["port"]) == (path, web["ports"][0]["name"])
        (host,) = (h["value"] for h in request["httpHeaders"] if h["name"] == "Host")
        assert host in find("ConfigMap")["data"]["ALLOWED_HOSTS"].split(",")
    assert "/readyz" in COMPOSE["web"]["healthcheck"]["test"][-1]
    worker = container_of("worker")["livenessProbe"]["exec"]["command"]
    check = COMPOSE["worker"]["healthcheck"]["test"]
    assert worker == ["sh", "-c", check[-1].replace("$$", "$")]
    grace = pod_of("worker")["terminationGracePeriodSeconds"]
    assert f"{grace}s" == COMPOSE["worker"]["stop_grace_period"]


def test_there_is_one_scheduler_at_a_time() -> None:
    spec = find("Deployment", "throughline-scheduler")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize("process", ["web", "worker"])
def test_a_drained_node_leaves_one_pod(process: str) -> None:
    spec = find("Deployment", f"throughline-{process}")["spec"]
    budget = find("PodDisruptionBudget", f"throughline-{process}")["spec"]
    assert budget["selector"] == spec["selector"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert budget["minAvailable"] == 1 < spec["replicas"]


@pytest.mark.parametrize("process", ["migrate", *PROCESSES])
def test_pods_have_no_privileges_and_a_read_only_root(process: str) -> None:
    pod = pod_of(process)
    (uid,) = re.findall(r"--uid (\d+)", (CHECKOUT / "Dockerfile").read_text())
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == int(uid)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert set(mounts) == {"/data", "/tmp"}
        assert set(mounts.values()) == {volume["name"] for volume in pod["volumes"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
