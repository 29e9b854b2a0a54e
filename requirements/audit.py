"""What is installed is free of known holes, and what we wrote has none that bandit knows. Asks nobody outside.

Usage: python requirements/audit.py   Ends with 1 where a locked package is below a version that mends something, or is
not in advisories.toml (then nobody has looked at it), or where bandit finds what no `noqa` beside it explains.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from packaging.version import Version

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LOCKED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)
SCANNED = ("gateway", "config", "bots", "manage.py")
REVIEW_DAYS = 90
# Importing does nothing yet: every call of what was imported is looked at.
PASSED_OVER = {"B404"}

Found = list[str]


def advisories(locked: str, listed: Mapping[str, Any], today: date) -> Found:
    """What is wrong with the packages of a requirements file, by the list of what was looked at."""
    packages = listed["package"]
    pins = LOCKED.findall(locked)
    found = [f"{name}: nobody has looked for its advisories" for name in sorted({n for n, _ in pins} - packages.keys())]
    found += [f"{name}: listed, and not locked any more" for name in sorted(packages.keys() - {n for n, _ in pins})]
    for name, version in pins:
        for bound, holes in packages.get(name, {}).items():
            if Version(version) < Version(bound):
                found.append(f"{name} {version}: {', '.join(holes)} (mended in {bound})")
    if not pins:
        found.append("no package is locked: nothing was audited")
    if listed["reviewed"] < today - timedelta(days=REVIEW_DAYS):
        print(f"advisories.toml was last reviewed on {listed['reviewed']}: look again.", file=sys.stderr)
    return found


def unexplained(report: Mapping[str, Any]) -> Found:
    """Bandit's findings without ruff's `noqa` of the same number on their lines, which says that somebody thought."""
    found = [f"{error['filename']}: not scanned, {error['reason']}" for error in report["errors"]]
    for finding in report["results"]:
        if finding["test_id"] in PASSED_OVER:
            continue
        path = ROOT / finding["filename"]
        lines = path.read_text(encoding="utf-8").splitlines()
        own = " ".join(lines[number - 1] for number in finding["line_range"])
        if not re.search(rf"noqa: [A-Z0-9, ]*S{finding['test_id'][1:]}\b", own):
            place = f"{finding['filename']}:{finding['line_number']}"
            found.append(f"{place}: {finding['test_id']} {finding['issue_text']}")
    return found


def scan() -> dict[str, Any]:
    command = [sys.executable, "-m", "bandit", "--quiet", "--recursive", "--format", "json", *SCANNED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    report: dict[str, Any] = json.loads(done.stdout)
    if report["metrics"]["_totals"]["loc"] < 1000:
        report["errors"].append({"filename": "bandit", "reason": "it has scanned next to nothing"})
    return report


def main() -> int:
    listed = tomllib.loads((HERE / "advisories.toml").read_text(encoding="utf-8"))
    found = advisories((HERE / "run.txt").read_text(encoding="utf-8"), listed, date.today())
    found += unexplained(scan())
    good = f"{len(listed['package'])} packages audited, none skipped; bandit found nothing that is not explained."
    print("\n".join(found) or good)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
