"""`make chaos`: one line a promise, with the figure that was seen. Ends with 1 if one is broken.

LONG=1: the figures of docs/guarantees.md, which take their time. ONLY="G1 G8": these alone.
"""

import os
import sys
import time
import traceback

from tests.chaos.promise import LONG, Finding, Promise, all_promises, wanted


def main() -> int:
    try:
        promises = wanted(all_promises(), os.environ.get("ONLY", ""))
    except LookupError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if [one for one in promises if not tried(one)] else 0


def tried(one: Promise) -> bool:
    """Whether it is not broken."""
    if why := one.lacks():
        report(one.name, "untried", why)
        return True
    began, trouble = time.monotonic(), ""
    try:
        finding = one.trial(LONG)
    except Exception as error:
        finding, trouble = Finding(False, str(error).partition("\n")[0]), traceback.format_exc()
    report(one.name, "kept" if finding.kept else "BROKEN", finding.figure, time.monotonic() - began)
    if trouble:
        print(trouble, file=sys.stderr, flush=True)
    return finding.kept


def report(name: str, verdict: str, words: str, seconds: float | None = None) -> None:
    took = "" if seconds is None else f"   {seconds:.0f} s"
    print(f"{name:<4} {verdict:<8} {words}{took}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
