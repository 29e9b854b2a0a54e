"""`make bench`: measures, prints tables, writes data/bench.json and data/bench.svg.

LONG=1 takes longer and is steadier; ONLY="webhook peers" measures these groups; the words `peers` and `postgres`
say that those take part (without ONLY all do).
"""

import json
import os
import platform
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.chart import chart
from bench.contestants import MEASURED, OTHERS, PROCESSORS, Driver
from bench.report import Measured, ratios, tables
from bench.scenarios import GROUPS, LONG, Bench, Plan, postgres_answers
from bench.trip import trip

FOLDER = Path("data")
WITH = ("peers", "postgres")
TRIP = "trip"
BUSY = 0.7


def main() -> None:
    words = os.environ.get("ONLY", "").split() or [*GROUPS, TRIP, *WITH]
    unknown = set(words) - {*GROUPS, TRIP, *WITH}
    if unknown:
        sys.exit(
            f"ONLY: no group is named {', '.join(sorted(unknown))}; there are {', '.join([*GROUPS, TRIP, *WITH])}."
        )
    left_out = [] if postgres_answers() or "postgres" not in words else ["PostgreSQL: no server answers"]
    plan = replace(
        LONG if os.environ.get("LONG") else Plan(),
        peers="peers" in words,
        postgres="postgres" in words and not left_out,
    )
    results = measure(plan, words)
    results["left_out"] = [*left_out, *(["no second processor: all share one"] if MEASURED == OTHERS else [])]
    write(results)


def measure(plan: Plan, words: list[str]) -> dict[str, Any]:
    figures: Measured = {}
    began, busy = time.time(), os.getloadavg()[0]
    if busy > BUSY:
        print(f"The machine is busy (load {busy:.1f}): figures will be too high, ratios less so.", file=sys.stderr)

    def note(scenario: str, name: str, measured: dict[str, Any]) -> None:
        figures.setdefault(scenario, {}).setdefault(name, []).append(measured)

    results: dict[str, Any] = {"machine": machine(), "plan": asdict(plan), "figures": figures}
    with Driver() as driver:
        bench = Bench(driver, plan, note)
        bench.run([group for group in GROUPS if group in words])
        if TRIP in words:
            with bench.going_on(TRIP):
                results["trip"] = trip(driver, plan.seconds * 2)
    load_now = round(os.getloadavg()[0], 2)
    results["failures"] = bench.failures
    return {**results, "ratios": ratios(figures), "took_seconds": round(time.time() - began), "load_average": load_now}


def machine() -> dict[str, Any]:
    return {"python": platform.python_version(), "system": platform.machine(), "processors": len(PROCESSORS)}


def write(results: dict[str, Any]) -> None:
    print(tables(results))
    for failure in results["failures"]:
        print(f"Failed: {failure}.")
    for missing in results["left_out"]:
        print(f"Left out: {missing}.")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "bench.json").write_text(json.dumps(results, indent=1))
    (FOLDER / "bench.svg").write_text(chart(results))
    print(f"{FOLDER}/bench.json and {FOLDER}/bench.svg are written; it took {results['took_seconds']} s.")


if __name__ == "__main__":
    main()
