"""The samples of deploy/ and the Dockerfile, held against what the gateway reads and does. No container engine is
asked: the image's files are laid out as COPY would, and run as its user without the right to change them."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.gateway_process import OURS, ROOT, free_port

yaml = pytest.importorskip("yaml")  # Of the tools; CI has them.
DEPLOY = ROOT / "deploy"
COMMANDS = {file.stem for file in (ROOT / "gateway" / "management" / "commands").glob("[a-z]*.py")}
SETTINGS = {"DATA_DIR", *re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "config" / "settings.py").read_text())}
COMPOSES_OWN = {"SITE", "POSTGRES_PASSWORD"}
IMAGES_OWN = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
USER = 10001


def env_example() -> dict[str, str]:
    lines = (DEPLOY / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def gateways() -> list[dict[str, Any]]:
    return [service for service in compose()["services"].values() if service.get("image") == "switchboard"]


def runs_ours(command: list[str]) -> bool:
    return command[:2] == ["python", "manage.py"] and command[2] in COMMANDS


# Compose


def test_the_gateway_reads_every_name_that_compose_gives() -> None:
    given = {name for service in gateways() for name in service["environment"]}
    assert given | (set(env_example()) - COMPOSES_OWN) <= SETTINGS


def test_every_variable_of_compose_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert used <= set(env_example())


def test_compose_names_nothing_that_there_is_not() -> None:
    whole = compose()
    services = whole["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name
        assert set(service.get("networks", ())) <= set(whole["networks"]), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in whole["volumes"] or (DEPLOY / source).exists(), (name, volume)
    upstreams = re.findall(r"(\w+):8000", (DEPLOY / "Caddyfile").read_text())
    assert upstreams == [name for name in services if name.startswith("gateway")]


def test_the_proxy_that_is_believed_is_the_one_that_there_is() -> None:
    whole = compose()
    proxy = whole["services"]["proxy"]["networks"]["inside"]["ipv4_address"]
    assert ip_address(proxy) in ip_network(whole["networks"]["inside"]["ipam"]["config"][0]["subnet"])
    assert all(service["environment"]["TRUSTED_PROXIES"] == proxy for service in gateways())


def test_containers_of_compose_may_do_nothing_more() -> None:
    assert len(gateways()) == 3
    for service in gateways():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["stop_grace_period"] == "30s"
        assert not {"privileged", "user", "ports"} & set(service)
        assert any(volume.endswith(":/data") for volume in service["volumes"])
        assert runs_ours(service["command"])


# Kubernetes


def objects(kind: str) -> list[dict[str, Any]]:
    every = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    return [one for one in every if one["kind"] == kind]


def pods() -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for kind in ("Job", "Deployment") for one in objects(kind)]


def test_the_gateway_reads_every_name_that_kubernetes_gives() -> None:
    secret = re.findall(r"--from-literal=(\w+)=", (DEPLOY / "kubernetes.yaml").read_text())
    assert secret
    assert {*objects("ConfigMap")[0]["data"], *secret} <= SETTINGS


def test_containers_of_kubernetes_may_do_nothing_more() -> None:
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == USER
        (container,) = pod["containers"]
        assert runs_ours(container["command"])
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}
        assert {mount["name"] for mount in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}


def test_kubernetes_asks_where_the_gateway_answers() -> None:
    (deployment,), (service,) = objects("Deployment"), objects("Service")
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    port = container["ports"][0]
    assert port["containerPort"] == int(image_env()["PORT"])
    host = objects("ConfigMap")[0]["data"]["ALLOWED_HOSTS"]
    probes = [container[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe")]
    assert [probe["path"] for probe in probes] == ["/healthz", "/readyz"]
    assert all(probe["port"] == port["name"] for probe in probes)
    assert all({"name": "Host", "value": host} in probe["httpHeaders"] for probe in probes)
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    labels = pod["metadata"]["labels"]
    assert labels == service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert pod["spec"]["terminationGracePeriodSeconds"] >= 30


# The image


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def of(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def image_env() -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in of("ENV")[-1:] for pair in rest.split())


def ignored(path: str) -> bool:
    """As .dockerignore says: the last line that matches decides."""
    result = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern, wanted = line.removeprefix("!"), not line.startswith("!")
        tail = pattern.removeprefix("**/")
        below = any(fnmatch.fnmatch(str(one), tail) for one in (Path(path), *Path(path).parents))
        if below or (tail != pattern and any(fnmatch.fnmatch(part, tail) for part in Path(path).parts)):
            result = wanted
    return result


def copied() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in listed.splitlines() if not ignored(path)]


def test_the_dockerfile_keeps_the_rules() -> None:
    words = [name for name, _ in instructions()]
    assert not {"ADD", "ARG", "MAINTAINER", "SHELL"} & set(words)
    assert all(re.match(r"\S+:[\d.]+\S*", image) for image in of("FROM"))
    assert of("USER") == [f"{USER}:{USER}"]
    last_user = len(words) - 1 - words[::-1].index("USER")
    assert not {"RUN", "COPY"} & set(words[last_user:])
    assert all(rest.startswith("/") for rest in of("WORKDIR"))
    assert not [rest for rest in of("RUN") if re.search(r"\b(sudo|curl|wget|apt|ssh)\b", rest)]
    assert all("--require-hashes" in rest for rest in of("RUN") if "pip install" in rest)
    assert runs_ours(json.loads(of("CMD")[0]))
    assert of("STOPSIGNAL") == ["SIGTERM"]
    assert set(image_env()) <= SETTINGS | IMAGES_OWN
    assert of("EXPOSE") == [image_env()["PORT"]]
    assert json.loads(of("VOLUME")[0]) == [image_env()["DATA_DIR"]]


def test_no_secret_and_nothing_needless_goes_into_the_image() -> None:
    files = copied()
    assert {path.partition("/")[0] for path in files} == {
        "manage.py", "config", "bots", "gateway", "requirements", "LICENSE"
    }  # fmt: skip
    assert [path for path in files if path.startswith("requirements")] == ["requirements/run.txt"]
    assert all(map(ignored, (".env", "data/secret_key", "deploy/.env", ".git/config")))


@pytest.fixture
def image() -> Iterator[Path]:
    """What the image has in its working directory, which is nobody's to change, and a data folder beside it."""
    if os.getuid() != 0:
        assert not os.environ.get("CI"), "only root may become the image's user, though CI is set"
        pytest.skip("only root may become the image's user")
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    for path in copied():
        (folder / "srv" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / "srv" / path)
    (folder / "data").mkdir(mode=0o700)
    os.chown(folder / "data", USER, USER)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.timeout(120)
def test_what_is_copied_runs_as_the_images_user(image: Path) -> None:
    """CMD over the files of COPY, the check of HEALTHCHECK, and STOPSIGNAL."""
    srv = image / "srv"
    subprocess.run([sys.executable, "-m", "compileall", "-q", "config", "bots", "gateway"], cwd=srv, check=True)
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    mine = {"DATA_DIR": str(image / "data"), "PORT": str(free_port()), "HOST": image_env()["HOST"], "HOME": "/"}
    env = {**kept, **mine, "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONDONTWRITEBYTECODE": "1"}
    check = as_user(json.loads(of("HEALTHCHECK")[0].partition("CMD ")[2]))
    before = set(srv.rglob("*"))
    with (image / "log").open("wb") as log:
        gateway = subprocess.Popen(as_user(json.loads(of("CMD")[0])), cwd=srv, env=env, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while subprocess.run(check, env=env, capture_output=True, check=False).returncode:
            assert gateway.poll() is None, (image / "log").read_text()
            assert time.monotonic() < deadline, (image / "log").read_text()
            time.sleep(0.5)
        gateway.terminate()
        assert gateway.wait(30) == 0, (image / "log").read_text()
    finally:
        gateway.kill()
    assert set(srv.rglob("*")) == before
    assert subprocess.run(check, env=env, capture_output=True, check=False).returncode, "well, though it has ended"


def as_user(command: list[str]) -> list[str]:
    """By this interpreter, with no right but to read it where it lies: it may be in the home of root."""
    read = [f"--{which}=-all,+dac_read_search" for which in ("inh-caps", "ambient-caps", "bounding-set")]
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", *read]
    return [*user, sys.executable, *command[1:]]
