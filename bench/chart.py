"""Bars of processor time for each update, as an SVG that is readable on light and dark. Usage:
python -m bench.chart RESULTS.json CHART.svg
"""

import json
import sys
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

from bench.contestants import PEERS
from bench.report import COMPARED

WIDTH, LEFT, RIGHT, BAR, GAP, TITLE = 760, 210, 110, 20, 8, 34
# Mid-tones: enough contrast on white and on near-black alike.
OURS, THEIRS, INK = "#2f81f7", "#8b949e", "#7d8590"


def chart(results: dict[str, Any]) -> str:
    """One group of bars for each way that updates come in."""
    groups = {way: bars(results["figures"][way]) for way in COMPARED if way in results["figures"]}
    longest = max((us for group in groups.values() for _, us, _ in group), default=1.0)
    body, top = [], 6
    for way, group in groups.items():
        body.append(text(0, top + 18, f"µs of processor for an echoed update, by {way}", weight="600"))
        top += TITLE
        for name, us, color in group:
            width = max((WIDTH - LEFT - RIGHT) * us / longest, 1)
            body.append(text(LEFT - 10, top + 15, name, anchor="end"))
            body.append(f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}" rx="3" fill="{color}"/>')
            body.append(text(LEFT + width + 8, top + 15, f"{us:,.0f}"))
            top += BAR + GAP
        top += GAP
    style = "<style>text{font:13px system-ui,sans-serif}</style>"
    size = f'viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    return "\n".join([head, style, *body, "</svg>", ""])


def bars(by_name: dict[str, list[dict[str, Any]]]) -> list[tuple[str, float, str]]:
    """(name, median µs, colour) of each."""
    return [
        (name, median(figures["us"] for figures in rounds), THEIRS if name in PEERS else OURS)
        for name, rounds in by_name.items()
    ]


def text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "400") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{INK}"'
    return f"<text {place}>{escape(words)}</text>"


if __name__ == "__main__":
    source, target = sys.argv[1:]
    Path(target).write_text(chart(json.loads(Path(source).read_text())))
