"""`manage.py startbot`: what it makes works at once; what it cannot do it says, and changes nothing."""

import os
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gateway.botfiles import LIST

ROOT = Path(__file__).resolve().parent.parent
MAP = """\
from django.urls import path

from bots.chatty import ChattyBotConsumer  # noqa: E402
from bots.tea import TeaConsumer  # noqa: E402
from gateway.lifespan import Lifespan  # noqa: E402

chat_bots = [
    path("bot/", ChattyBotConsumer.as_asgi()),
    path("tea/", TeaConsumer.as_asgi()),
]
"""


@pytest.fixture
def project(tmp_path: Path, settings: Any) -> Path:
    """Just the folders that the command looks at."""
    for folder in ("bots", "config", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bots" / "tea.py").write_text("")
    (tmp_path / "config" / "asgi.py").write_text(MAP)
    (tmp_path / "tests" / "test_engine.py").write_text("")
    settings.BASE_DIR = tmp_path
    settings.ASGI_APPLICATION = "config.asgi.application"
    return tmp_path


def startbot(name: str, **options: object) -> str:
    out = StringIO()
    call_command("startbot", name, stdout=out, **options)
    return out.getvalue()


def contents(project: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in project.rglob("*") if path.is_file()}


def test_three_files_and_two_lines(project: Path) -> None:
    said = startbot("pizza_shop")
    assert "?bot=pizza_shop" in said
    assert "TELEGRAM_BOTS=pizza_shop=" in said
    assert "class PizzaShopConsumer(BotConsumer)" in (project / "bots" / "pizza_shop.py").read_text()
    assert "from bots.pizza_shop import PizzaShopConsumer" in (project / "tests" / "test_pizza_shop.py").read_text()
    new = (project / "config" / "asgi.py").read_text().splitlines()
    added = [line for line in new if line not in MAP.splitlines()]
    assert added == [
        "from bots.pizza_shop import PizzaShopConsumer  # noqa: E402",
        '    path("pizza_shop/", PizzaShopConsumer.as_asgi()),',
    ]
    assert new.index(added[0]) == 3, "among the bots, in order"
    assert new[-2:] == [added[1], "]"]


def test_the_last_in_order_comes_after_the_others(project: Path) -> None:
    startbot("zoo")
    new = (project / "config" / "asgi.py").read_text().splitlines()
    assert new.index("from bots.zoo import ZooConsumer  # noqa: E402") == 4


def test_a_map_without_bots_yet(project: Path) -> None:
    (project / "config" / "asgi.py").write_text("from django.urls import path\n\nchat_bots = [\n]\n")
    startbot("first")
    assert (project / "config" / "asgi.py").read_text().splitlines() == [
        "from django.urls import path",
        "from bots.first import FirstConsumer",
        "",
        "chat_bots = [",
        '    path("first/", FirstConsumer.as_asgi()),',
        "]",
    ]


def test_a_second_run_changes_nothing(project: Path) -> None:
    startbot("pizza")
    before = contents(project)
    with pytest.raises(CommandError, match=r"bots/pizza\.py is there already"):
        startbot("pizza")
    assert contents(project) == before


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Pizza", "cannot be a bot's name"),
        ("2pizzas", "cannot be a bot's name"),
        ("pizza-shop", "cannot be a bot's name"),
        ("../pizza", "cannot be a bot's name"),
        ("pizza\n", "cannot be a bot's name"),
        ("_pizza", "cannot be a bot's name"),
        ("p" * 33, "at most 32"),
        ("", "cannot be a bot's name"),
        ("class", "Python's own"),
        ("match", "Python's own"),
        ("tea", r"bots/tea\.py is there already"),
        ("engine", r"tests/test_engine\.py is there already"),
        ("bot", "has a bot named 'bot' already"),
    ],
)
def test_a_name_that_will_not_do(project: Path, name: str, why: str) -> None:
    before = contents(project)
    with pytest.raises(CommandError, match=why):
        startbot(name)
    assert contents(project) == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("application = None\n", r"no list 'chat_bots = \['(?s:.*)path\(\"pizza/\", PizzaConsumer"),
        ("chat_bots = [1, 2]\n", "no list"),
        ("chat_bots = [\n", "fault in line 1"),
    ],
)
def test_a_map_that_it_does_not_understand(project: Path, text: str, why: str) -> None:
    (project / "config" / "asgi.py").write_text(text)
    before = contents(project)
    with pytest.raises(CommandError, match=why):
        startbot("pizza")
    assert contents(project) == before


def test_no_folder_for_bots_and_no_map(project: Path) -> None:
    with pytest.raises(CommandError, match=r"There is no folder .*robots"):
        startbot("pizza", package="robots")
    (project / "config" / "asgi.py").unlink()
    with pytest.raises(CommandError, match=r"asgi\.py cannot be read: No such file"):
        startbot("pizza")


def copy_product(to: Path) -> dict[str, str]:
    """The product in a folder of its own; the environment for commands there."""
    for name in ("bots", "config", "gateway"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    (to / "tests").mkdir()
    for file in ("manage.py", "pyproject.toml", "tests/__init__.py", "tests/settings.py"):
        shutil.copyfile(ROOT / file, to / file)
    ours = {"DATABASE_URL", "CHANNELS_URL", "DJANGO_SETTINGS_MODULE"}
    return {**{k: v for k, v in os.environ.items() if k not in ours}, "DATA_DIR": str(to / "data")}


def test_what_it_makes_passes_its_own_test_and_the_rules_of_the_house(tmp_path: Path) -> None:
    environment = copy_product(tmp_path)

    def run(*command: str) -> str:
        ended = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    run("manage.py", "startbot", "pizza_shop")
    assert "2 passed" in run("-m", "pytest", "-p", "no:cacheprovider", "tests/test_pizza_shop.py")
    made = ["bots/pizza_shop.py", "tests/test_pizza_shop.py", "config/asgi.py"]
    if shutil.which("ruff", path=str(Path(sys.executable).parent)):
        run("-m", "ruff", "check", "--no-cache", *made)
        run("-m", "ruff", "format", "--no-cache", "--check", *made)


def test_the_products_own_map_has_the_list() -> None:
    assert f"{LIST} = [\n" in (ROOT / "config" / "asgi.py").read_text()
