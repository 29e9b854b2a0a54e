"""The widget's files as they are served: to any page, small, and in one version."""

import gzip
import re
from pathlib import Path

import brotli
import pytest
from django.test import Client

from gateway.web import widget_files

STATIC = widget_files.STATIC
ENTRY = STATIC / "widget.js"
PARTS = sorted(STATIC.joinpath("widget").glob("*.js"))
# What a conversation in English needs, beside the button; all else comes when it is asked for.
CONVERSATION = ["chat", "composer", "dom", "keys", "line", "list", "panel", "shelf", "style", "talk", "words"]
LANGUAGES = ["ko", "ar", "de", "es", "fr", "ja", "pt", "ru", "zh"]


def part(name: str) -> str:
    return f"/widget/{widget_files.loaded().version}/{name}.js"


def statically_imported(name: str) -> set[str]:
    """The parts that come with that part, itself among them."""
    seen: set[str] = set()
    asked = {name}
    while asked - seen:
        name = (asked - seen).pop()
        seen.add(name)
        asked |= set(
            re.findall(r'^import (?:.* from )?"\./(\w+)\.js";', (PARTS[0].parent / f"{name}.js").read_text(), re.M)
        )
    return seen


def test_any_page_may_load_it(client: Client) -> None:
    for url in ("/widget.js", part("chat")):
        response = client.get(url)
        assert response.status_code == 200
        assert response["Content-Type"] == "text/javascript; charset=utf-8"
        assert response["Access-Control-Allow-Origin"] == "*"
        assert response["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_what_a_page_loads_at_first_is_small(client: Client) -> None:
    first = client.get("/widget.js", headers={"accept-encoding": "gzip, br"})
    assert first["Content-Encoding"] == "gzip"
    assert gzip.decompress(first.content) == client.get("/widget.js").content
    parts = [client.get(part(name), headers={"accept-encoding": "gzip"}).content for name in CONVERSATION]
    squeezed = [len(brotli.compress(client.get(url).content)) for url in ("/widget.js", *map(part, CONVERSATION))]
    print(f"at first {len(first.content)} bytes in gzip, {squeezed[0]} in brotli;", end=" ")
    print(f"the conversation, once it is opened, {sum(map(len, parts))} and {sum(squeezed[1:])}")
    assert len(first.content) <= 4 * 1024
    assert sum(squeezed) <= sum(map(len, parts)) + len(first.content) <= 20 * 1024


def test_a_conversation_loads_no_more_than_it_needs() -> None:
    assert statically_imported("chat") == set(CONVERSATION)
    assert not re.search(r"^import ", ENTRY.read_text(), re.MULTILINE)


def test_the_button_is_asked_for_again_and_its_parts_are_kept(client: Client) -> None:
    assert "max-age=300" in client.get("/widget.js")["Cache-Control"]
    version = widget_files.loaded().version
    assert f"widget/{version}/" in client.get("/widget.js").content.decode()
    assert "immutable" in client.get(part("chat"))["Cache-Control"]
    assert client.get("/widget/older/chat.js")["Cache-Control"] == "no-cache"
    assert client.get("/widget/older/chat.js").content == client.get(part("chat")).content


@pytest.mark.parametrize("name", ["nothing", "widget", "..%2Fconsole", "../console"])
def test_nothing_else_is_served_there(client: Client, name: str) -> None:
    assert client.get(part(name)).status_code == 404


def test_what_is_known_is_not_sent_again_and_still_allowed(client: Client) -> None:
    etag = client.get("/widget.js")["ETag"]
    response = client.get("/widget.js", headers={"if-none-match": etag})
    assert response.status_code == 304
    assert response.content == b""
    assert response["ETag"] == etag
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_a_changed_file_is_served_without_a_restart(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = client.get("/widget.js")["ETag"]
    (tmp_path / "widget.js").write_text("import('widget/now/new.js');\n")
    (tmp_path / "widget").mkdir()
    (tmp_path / "widget" / "new.js").write_text("// A comment.\n  let said = 1; // as it is\n\n")
    monkeypatch.setattr(widget_files, "STATIC", tmp_path)
    response = client.get("/widget.js", headers={"if-none-match": old})
    assert response.content.decode() == f"import('widget/{widget_files.loaded().version}/new.js');\n"
    assert client.get(part("new")).content == b"let said = 1; // as it is\n"


@pytest.mark.parametrize("script", [*STATIC.glob("*.js"), *PARTS], ids=lambda path: path.name)
def test_no_script_makes_markup_or_code_of_text(script: Path) -> None:
    source = script.read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", '"style"'):
        assert way not in source


# The languages


def words(name: str) -> dict[str, str]:
    return dict(re.findall(r'^ +(\w+): "(.*)",$', (PARTS[0].parent / f"{name}.js").read_text(), re.MULTILINE))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    english = {"dismiss": "Dismiss", **words("words"), **words("words_more")}
    found = words(f"words_{language}")
    assert found.keys() == english.keys()
    for key, text in english.items():
        assert found[key].strip()
        assert set(re.findall(r"\{\w+\}", found[key])) == set(re.findall(r"\{\w+\}", text)), key


@pytest.mark.parametrize("language", ["ar", "fr", "pt", "ru"])
def test_where_one_is_written_otherwise_than_two_the_number_stands_by_itself(language: str) -> None:
    assert re.fullmatch(
        r"[^{}]+: \{n\}", words(f"words_{language}")["unread"].replace("\u202f", " ").replace(" :", ":")
    )


def test_the_button_knows_every_language() -> None:
    listed = ", ".join(f'"{language}"' for language in ["en", *LANGUAGES])
    assert f"const LANGUAGES = [{listed}];" in ENTRY.read_text()
    assert {path.stem for path in PARTS if path.stem.startswith("words_")} == {
        "words_more",
        *(f"words_{language}" for language in LANGUAGES),
    }
