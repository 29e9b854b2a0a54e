"""Which room may import which: docs/architecture.md, as a test."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("config", "bots", "gateway")
PUBLIC = {"gateway", "gateway.testing"}
NAMES_ANOTHER_ROOM = re.compile(r"\b(bots|config)\.[a-z_]")


def module_name(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for room in PRODUCT for path in sorted((ROOT / room).rglob("*.py"))}
PROTOCOLS = {path.parent.name for path in (ROOT / "gateway").glob("*/server.py")} | {"telegram", "web"}


def room_of(module: str) -> str:
    """ "config", "bots", "protocol <name>", "management", "engine", or "outside"."""
    first, *rest = module.split(".")
    if first == "gateway" and rest and rest[0] in PROTOCOLS:
        return f"protocol {rest[0]}"
    if first == "gateway":
        return "management" if rest and rest[0] == "management" else "engine"
    return first if first in ("config", "bots", "tests") else "outside"


def imported(tree: ast.AST, module: str, modules: set[str], is_package: bool = False) -> Iterator[str]:
    """The modules that a module imports, wherever in its text; relative ones made absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                package = module.split(".")[: len(module.split(".")) - node.level + is_package]
                source = ".".join([*package, *([source] if source else [])])
            for alias in node.names:
                below = f"{source}.{alias.name}"
                yield below if below in modules else source


def may_import(importer: str, target: str) -> bool:
    here, there = room_of(importer), room_of(target)
    if there == "tests":
        return False
    if there == "outside" or here == "config":
        return True
    if here == "bots":
        return there == "bots" or target in PUBLIC
    if there == "engine":
        return True
    return here == there or (here == "management" and there.startswith("protocol "))


def faults(module: str, text: str, modules: set[str], is_package: bool = False) -> list[str]:
    tree = ast.parse(text)
    found = [
        f"{module} imports {target}"
        for target in imported(tree, module, modules, is_package)
        if not may_import(module, target)
    ]
    if module.split(".")[0] == "gateway":
        found += [f"{module} names {text!r}" for text in strings(tree) if NAMES_ANOTHER_ROOM.search(text)]
    return found


def strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("module", FILES)
def test_module_keeps_to_its_room(module: str) -> None:
    path = FILES[module]
    assert faults(module, path.read_text(), set(FILES), path.name == "__init__.py") == []


def test_every_room_was_looked_at() -> None:
    assert {room_of(module) for module in FILES} >= {"config", "bots", "management", "engine", "protocol telegram"}


MODULES = {"gateway", "gateway.engine", "gateway.testing", "gateway.telegram", "gateway.telegram.server", "bots.chatty"}
BAD = [
    ("bots.x", "from gateway.engine import current"),
    ("bots.x", "from gateway import engine"),
    ("bots.x", "import config.settings"),
    ("bots.x", "def f():\n    from gateway.telegram import server"),
    ("gateway.engine", "import gateway.telegram.server"),
    ("gateway.engine", "from . import telegram"),
    ("gateway.engine", "from .telegram.server import Server"),
    ("gateway.transcript.group", "from ..web import views"),
    ("gateway.engine", "if TYPE_CHECKING:\n    from gateway.web.frames import Frame"),
    ("gateway.engine", "from gateway.management.commands import serve"),
    ("gateway.engine", "from bots.chatty import ChattyBotConsumer"),
    ("gateway.engine", 'import_module("bots.chatty")'),
    ("gateway.web.views", 'environ["X"] = "config.settings"'),
    ("gateway.web.views", "from gateway.telegram import server"),
    ("gateway.telegram.server", "import gateway.web"),
    ("gateway.management.commands.serve", "from config import settings"),
    ("gateway.engine", "from tests.settings import DEBUG"),
    ("config.settings", "import tests.settings"),
]
GOOD = [
    ("config.asgi", "from bots.chatty import ChattyBotConsumer\nfrom gateway.telegram.webhook import Webhook"),
    ("bots.x", "from gateway import SomeName\nfrom gateway.testing import Communicator\nfrom bots.chatty import y"),
    ("gateway.engine", "from gateway.transcript import group\nfrom . import types\nfrom django.conf import settings"),
    ("gateway.telegram.server", "from gateway.engine import current\nfrom . import client\nfrom .client import call"),
    ("gateway.management.commands.serve", "from gateway.telegram.client import call"),
    ("gateway.engine", '"""What the bots say; settings come from config."""'),
]


@pytest.mark.parametrize(("module", "text"), BAD)
def test_checker_finds_what_is_forbidden(module: str, text: str) -> None:
    assert faults(module, text, MODULES)


@pytest.mark.parametrize(("module", "text"), GOOD)
def test_checker_lets_what_is_allowed(module: str, text: str) -> None:
    assert faults(module, text, MODULES) == []


def test_relative_import_in_a_package_starts_at_the_package() -> None:
    assert faults("gateway.telegram", "from ..web import views", MODULES, is_package=True)
    assert faults("gateway.telegram", "from .server import Server", MODULES, is_package=True) == []


def test_only_the_daphne_server_imports_twisted() -> None:
    """Importing it installs a reactor, which under another server must not happen."""
    guilty = {
        module
        for module, path in FILES.items()
        for target in imported(ast.parse(path.read_text()), module, set(FILES))
        if target.split(".")[0] in {"daphne", "twisted", "autobahn"}
    }
    assert guilty <= {"gateway.daphne_server", "gateway.daphne_limits", "gateway.daphne_sockets"}
