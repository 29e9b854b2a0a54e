"""The audit of dependencies fails where it should: for a hole, and for whatever nobody has looked at."""

import importlib.util
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("audit", ROOT / "requirements" / "audit.py")
assert spec is not None
assert spec.loader is not None
audit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(audit)

TODAY = date(2026, 11, 21)
LISTED = {"reviewed": TODAY, "package": {"safe": {"1.2": ["CVE-1"]}, "other": {}}}
LOCKED = "safe==1.10 \\\n    --hash=sha256:00\nother==0.1 ; python_version < '4' \\\n    --hash=sha256:00\n"


def test_what_is_locked_has_no_known_hole() -> None:
    listed = tomllib.loads((ROOT / "requirements/advisories.toml").read_text())
    assert audit.advisories((ROOT / "requirements/run.txt").read_text(), listed, listed["reviewed"]) == []
    bounds = listed["package"]
    assert {"5.2.13", "5.2.14"} <= bounds["django"].keys()
    assert "4.2.2" in bounds["daphne"]


def test_sound_is_sound() -> None:
    assert audit.advisories(LOCKED, LISTED, TODAY) == []


@pytest.mark.parametrize(
    ("locked", "said"),
    [
        (LOCKED.replace("1.10", "1.1"), "safe 1.1: CVE-1 (mended in 1.2)"),
        (LOCKED + "new==1\n", "new: nobody has looked for its advisories"),
        ("safe==1.10\n", "other: listed, and not locked any more"),
        ("", "no package is locked: nothing was audited"),
    ],
)
def test_a_hole_and_a_skipped_package_fail(locked: str, said: str) -> None:
    assert said in audit.advisories(locked, LISTED, TODAY)


def test_a_review_of_long_ago_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    audit.advisories(LOCKED, {**LISTED, "reviewed": date(2026, 1, 1)}, TODAY)
    assert "last reviewed on 2026-01-01" in capsys.readouterr().err


def finding(line: int, test_id: str, filename: str) -> dict[str, Any]:
    return {
        "filename": filename, "line_number": line, "line_range": [line], "test_id": test_id, "issue_text": "bad",
    }  # fmt: skip


def test_what_bandit_finds_must_be_explained_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("random()  # noqa: S311\nsql()  # noqa: E501, S608\nsql()  # noqa: S311\nsql()\n")
    results = [
        finding(1, "B311", "a.py"),
        finding(2, "B608", "a.py"),
        finding(3, "B608", "a.py"),
        finding(4, "B608", "a.py"),
    ]
    found = audit.unexplained({"errors": [], "results": results})
    assert [line.split()[0] for line in found] == ["a.py:3:", "a.py:4:"]


def test_what_bandit_could_not_read_fails() -> None:
    broken = {"errors": [{"filename": "a.py", "reason": "syntax error"}], "results": []}
    assert audit.unexplained(broken) == ["a.py: not scanned, syntax error"]
