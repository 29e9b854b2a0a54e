"""Tables as files. A cell that a spreadsheet would take for a formula is text."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def guarded(cell: Any) -> Any:
    """Numbers stay; a text that begins like a formula gets an apostrophe, which spreadsheets do not show."""
    if isinstance(cell, str) and cell.lstrip(" \u00a0\ufeff")[:1] in FORMULAS and cell.strip(" ") != "":
        return f"'{cell}"
    return cell


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([guarded(name) for name in columns])
    writer.writerows([guarded("" if cell is None else cell) for cell in row] for row in rows)
    return out.getvalue()


def download(text: str, content_type: str, name: str) -> HttpResponse:
    """A file, never a page: whatever is in it, no browser shows it under our address."""
    response = HttpResponse(text.encode("utf-8", "replace"), content_type=f"{content_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
