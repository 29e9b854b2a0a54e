"""Measurements → medians, ratios to the peers with their spread, and tables to read."""

from collections.abc import Iterable
from statistics import median
from typing import Any

from bench.contestants import GATEWAYS, PEERS

Figures = dict[str, Any]
Measured = dict[str, dict[str, list[Figures]]]
COMPARED = ("webhook", "polling")
COLUMNS = {
    "webhook": ("us", "user_us", "system_us", "per_second", "inversions", "driver_us"),
    "polling": ("us", "user_us", "system_us", "per_second", "inversions", "driver_us"),
    "API takes 50 ms": ("per_second", "inversions", "us"),
    "200 a second": ("p50_ms", "p95_ms", "p99_ms", "per_second", "us"),
    "200 a second, 20 others' transactions": ("p50_ms", "p95_ms", "p99_ms", "per_second", "us"),
    "burst": ("per_second", "us", "mib_more", "inversions", "echoes"),
    "conversations": ("per_second", "us", "kib_each", "idle_busy", "conversations"),
    "web round trip": ("us", "per_second", "p50_ms", "p99_ms", "driver_us"),
    "web, 200 a second": ("p50_ms", "p95_ms", "p99_ms", "us"),
    "fan-out": ("deliveries_per_second", "us", "p50_ms", "p99_ms", "sockets"),
    "idle sockets": ("open_seconds", "kib_each", "idle_busy", "sockets"),
    "start": ("ready_seconds",),
    "processes": ("per_second", "us", "postgres_us", "driver_us", "machine_busy", "p50_ms", "inversions", "refused"),
    "idle sockets, two processes": ("open_seconds", "open_us", "kib_each", "idle_busy", "sockets"),
}
HEADINGS = {
    "us": "µs each",
    "user_us": "user µs",
    "system_us": "system µs",
    "driver_us": "driver's µs",
    "per_second": "a second",
    "postgres_us": "PostgreSQL's µs",
    "machine_busy": "processors busy",
    "open_us": "µs to open each",
    "inversions": "out of order",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
    "kib_each": "KiB each",
    "mib_more": "MiB more",
    "idle_busy": "idle: share of a core",
    "deliveries_per_second": "deliveries a second",
    "open_seconds": "seconds to open all",
    "ready_seconds": "seconds until ready",
}


def ratios(measured: Measured) -> dict[str, dict[str, Figures]]:
    """`{scenario: {"uvicorn / aiogram": {"median", "low", "high"}}}`: µs by µs, round by round."""
    found: dict[str, dict[str, Figures]] = {}
    for scenario in COMPARED:
        by_name = measured.get(scenario, {})
        pairs = [(ours, peer) for ours in GATEWAYS for peer in PEERS if ours in by_name and peer in by_name]
        for ours, peer in pairs:
            rounds = zip(by_name[ours], by_name[peer], strict=False)
            each = [mine["us"] / theirs["us"] for mine, theirs in rounds if theirs["us"]]
            spread = {"median": round(median(each), 3), "low": round(min(each), 3), "high": round(max(each), 3)}
            found.setdefault(scenario, {})[f"{ours} / {peer}"] = spread
    return found


def tables(results: Figures) -> str:
    """Markdown."""
    parts = [scenario_table(name, by_name) for name, by_name in results["figures"].items()]
    if any(results["ratios"].values()):
        parts.append(ratio_table(results["ratios"]))
    if "trip" in results:
        parts.append(trip_table(results["trip"]))
    return "\n".join(parts)


def scenario_table(scenario: str, by_name: dict[str, list[Figures]]) -> str:
    columns = COLUMNS["polling" if scenario.startswith("past: ") else scenario]
    rows = [[name, *(cell(column, rounds) for column in columns)] for name, rounds in by_name.items()]
    return table([scenario, *(HEADINGS.get(column, column) for column in columns)], rows)


def cell(column: str, rounds: list[Figures]) -> str:
    """The median of the rounds, with lowest and highest where they differ much."""
    values = [figures[column] for figures in rounds]
    middle, low, high = median(values), min(values), max(values)
    shown = f"{middle:,.4g}" if middle < 1000 else f"{middle:,.0f}"
    return f"{shown} ({low:,.4g}–{high:,.4g})" if column == "us" and low != high else shown


def ratio_table(found: dict[str, dict[str, Figures]]) -> str:
    rows = [
        [f"{scenario}: {pair}", f"{spread['median']:.2f}", f"{spread['low']:.2f}–{spread['high']:.2f}"]
        for scenario, pairs in found.items()
        for pair, spread in pairs.items()
    ]
    return table(["processor time, us / them", "median", "spread"], rows)


def trip_table(trip: Figures) -> str:
    rows = [[thread, step, f"{calls:g}", f"{us:.0f}"] for thread, step, calls, us in trip["steps"]]
    return table(["thread", "step", "calls an update", "µs an update"], rows)


def table(heading: list[str], rows: Iterable[list[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
