"""The widget's files: `/widget.js`, asked for again every few minutes, and its parts, kept for good under a version."""

import gzip
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

STATIC = Path(__file__).with_name("static")
ENTRY = "widget.js"
ENTRY_SECONDS = 300
PART_SECONDS = 31_536_000
# Comments and indentation are a sixth of what a visitor would load.
QUIET_LINES = re.compile(rb"^\s*(//.*|/\*\*.*\*/)?\n|^[ \t]+", re.MULTILINE)


class Script(NamedTuple):
    body: bytes
    compressed: bytes
    etag: str


class Scripts(NamedTuple):
    version: str
    files: dict[str, Script]


@lru_cache(maxsize=1)
def load(changed: int) -> Scripts:
    """The files as they were at `changed` (nanoseconds), so that new ones are served without a restart."""
    sources = {path.name: path.read_bytes() for path in paths()}
    version = hashlib.sha256(b"\0".join(sources[name] for name in sorted(sources))).hexdigest()[:12]
    sources[ENTRY] = sources[ENTRY].replace(b"widget/now/", f"widget/{version}/".encode())
    return Scripts(version, {name: _script(source) for name, source in sources.items()})


def paths() -> list[Path]:
    return [STATIC / ENTRY, *STATIC.joinpath("widget").glob("*.js")]


def _script(source: bytes) -> Script:
    body = QUIET_LINES.sub(b"", source)
    return Script(body, gzip.compress(body, mtime=0), f'W/"{hashlib.sha256(body).hexdigest()[:20]}"')


def loaded() -> Scripts:
    return load(max(path.stat().st_mtime_ns for path in paths()))


@require_safe
def entry(request: HttpRequest) -> HttpResponseBase:
    return _answer(request, loaded().files[ENTRY], f"public, max-age={ENTRY_SECONDS}")


@require_safe
def part(request: HttpRequest, version: str, name: str) -> HttpResponseBase:
    """Of another version, as after an upgrade beside open pages, it is today's file and not kept."""
    scripts = loaded()
    script = scripts.files.get(f"{name}.js")
    if script is None or f"{name}.js" == ENTRY:
        raise Http404("The widget has no such part.")
    current = version == scripts.version
    return _answer(request, script, f"public, max-age={PART_SECONDS}, immutable" if current else "no-cache")


def _answer(request: HttpRequest, script: Script, cached: str) -> HttpResponseBase:
    """For pages of any origin; which of them may talk is the socket's question."""
    response = HttpResponse(content_type="text/javascript; charset=utf-8")
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response.content = script.compressed
        response["Content-Encoding"] = "gzip"
    else:
        response.content = script.body
    response["ETag"] = script.etag
    response["Cache-Control"] = cached
    response["Vary"] = "Accept-Encoding"
    answer = get_conditional_response(request, etag=script.etag, response=response) or response
    # A 304 is made anew, without these; and a module from another origin is refused where they are missing.
    answer["Access-Control-Allow-Origin"] = "*"
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer
