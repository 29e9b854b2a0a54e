"""What a fresh machine needs: the requirements and the scripts that install them."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
GROUPS = ("run", "test", "e2e", "bench", "lint")
SAFE = {"django": (5, 2, 14), "daphne": (4, 2, 2)}
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([0-9][^ ;\\]*)")


def requirements(group: str) -> list[str]:
    """One text a requirement, with its continuation lines."""
    text = (ROOT / "requirements" / f"{group}.txt").read_text()
    return [line for line in text.replace("\\\n", "").splitlines() if line.strip()]


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


@pytest.mark.parametrize("group", GROUPS)
def test_every_requirement_is_pinned_and_hashed(group: str) -> None:
    lines = requirements(group)
    assert lines
    assert [line[:60] for line in lines if not PIN.match(line) or "--hash=sha256:" not in line] == []


def test_versions_are_not_below_the_safe_ones() -> None:
    pins = {match[1]: version(match[2]) for line in requirements("run") if (match := PIN.match(line))}
    assert {name: pins[name] >= least for name, least in SAFE.items()} == dict.fromkeys(SAFE, True)


@pytest.mark.parametrize("group", GROUPS)
def test_requirements_are_in_step_with_the_lock(group: str) -> None:
    uv = Path(sys.prefix, "bin", "uv")
    if not uv.exists():
        pytest.skip("uv is not installed here (make lint installs it)")
    chosen = ["--no-default-groups"] if group == "run" else ["--only-group", group]
    command = [uv, "export", "--quiet", "--frozen", "--offline", "--no-emit-project", "--no-header", "--no-annotate"]
    exported = subprocess.run([*command, *chosen], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert exported == (ROOT / "requirements" / f"{group}.txt").read_text()


def test_make_alone_lists_what_there_is() -> None:
    if not shutil.which("make"):
        pytest.skip("make is not installed here")
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = " ".join(re.findall(r"make (\w+)", shown))
    assert listed == "help run demo test chaos cluster lint types e2e bench lock"


def script(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def make_venv(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(tmp_path)}
    command = ["/bin/sh", str(ROOT / "requirements" / "venv.sh"), str(tmp_path / "venv")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_no_python_is_said_plainly(tmp_path: Path) -> None:
    done = make_venv(tmp_path)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer, and none was found" in done.stderr


def test_an_old_python_is_not_taken(tmp_path: Path) -> None:
    script(tmp_path, "python3", "exit 1")
    assert "none was found" in make_venv(tmp_path).stderr


def test_no_venv_module_is_said_plainly(tmp_path: Path) -> None:
    script(tmp_path, "python3", 'case "$2" in *ensurepip*) exit 1;; esac')
    done = make_venv(tmp_path)
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr


def test_a_later_name_is_found_and_used(tmp_path: Path) -> None:
    script(tmp_path, "python3", "exit 1")
    script(tmp_path, "python3.12", 'echo "called with $*"')
    done = make_venv(tmp_path)
    assert done.returncode == 0
    assert f"called with -m venv --clear {tmp_path}/venv" in done.stdout


def test_an_environment_that_works_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    script(tmp_path / "venv" / "bin", "python", "exit 0")
    assert make_venv(tmp_path).stdout == ""


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """requirements/install.py over a folder of its own, with a pip that only writes down what it is asked."""
    spec = importlib.util.spec_from_file_location("installer", ROOT / "requirements" / "install.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    script(tmp_path, "pip", f'echo "$*" >> {tmp_path}/asked; exit $(cat {tmp_path}/code)')
    (tmp_path / "code").write_text("0")
    (tmp_path / "run.txt").write_text("one==1\n")
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "PIP", [str(tmp_path / "pip")])
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return module


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []


def test_installs_once_and_again_when_the_requirements_change(installer: ModuleType, tmp_path: Path) -> None:
    assert [installer.install(["run"]), installer.install(["run"])] == [0, 0]
    assert asked(tmp_path) == [f"-r {tmp_path}/run.txt"]
    (tmp_path / "run.txt").write_text("one==2\n")
    assert installer.install(["run"]) == 0
    assert len(asked(tmp_path)) == 2


def test_a_failed_installation_is_not_taken_for_done(
    installer: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "code").write_text("3")
    assert installer.install(["run"]) == 3
    assert "failed" in capsys.readouterr().err
    (tmp_path / "code").write_text("0")
    assert installer.install(["run"]) == 0
    assert len(asked(tmp_path)) == 2


@pytest.mark.parametrize("path", [".ci/run", "manage.py"])
def test_scripts_may_be_run(path: str) -> None:
    assert os.access(ROOT / path, os.X_OK)
