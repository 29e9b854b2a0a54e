"""A new bot's files: itself, its test, and its two lines in the application map."""

import ast
import keyword
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).with_name("management") / "startbot"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 32
LIST = "chat_bots"


class CannotStart(Exception):
    """The bot cannot be made; nothing was changed. The text says why."""


@dataclass(frozen=True)
class NewBot:
    """`package`: the folder of bots below `root`, which is a package; `map_file`: the application map."""

    name: str
    root: Path
    package: str
    map_file: Path

    @property
    def consumer(self) -> str:
        return "".join(part.capitalize() for part in self.name.split("_")) + "Consumer"

    @property
    def module(self) -> Path:
        return self.root / self.package / f"{self.name}.py"

    @property
    def test(self) -> Path:
        return self.root / "tests" / f"test_{self.name}.py"

    def write(self) -> list[Path]:
        """Makes all of it, or nothing. Returns the files. Raises CannotStart."""
        self._check_name()
        self._check_files()
        new_map = self._mapped(read(self.map_file))
        self.test.parent.mkdir(exist_ok=True)
        self.module.write_text(self._filled("bot.txt"), encoding="utf-8")
        self.test.write_text(self._filled("test.txt"), encoding="utf-8")
        self.map_file.write_text(new_map, encoding="utf-8")  # Last: it imports the first.
        return [self.module, self.test, self.map_file]

    def _check_name(self) -> None:
        if not NAME.fullmatch(self.name) or len(self.name) > LONGEST_NAME:
            raise CannotStart(
                f"{self.name!r} cannot be a bot's name: give small letters, digits and single underscores, beginning "
                f"with a letter, at most {LONGEST_NAME} in all, such as pizza_shop."
            )
        if keyword.iskeyword(self.name) or keyword.issoftkeyword(self.name):
            raise CannotStart(f"{self.name!r} is a word of Python's own: choose another name.")

    def _check_files(self) -> None:
        if not self.module.parent.is_dir():
            raise CannotStart(f"There is no folder {self.module.parent} to put a bot into.")
        for taken in (self.module, self.module.with_suffix(""), self.test):
            if taken.exists():
                raise CannotStart(f"{taken.relative_to(self.root)} is there already: choose another name.")

    def _mapped(self, text: str) -> str:
        """The map with the import and the path."""
        try:
            found = bots_list(ast.parse(text))
        except SyntaxError as error:
            raise CannotStart(f"{self.map_file} has a fault in line {error.lineno}: mend that first.") from None
        lines = text.splitlines()
        if found is None or lines[(found.end_lineno or 1) - 1].strip() != "]":
            raise CannotStart(self._by_hand())
        if f"{self.name}/" in paths(found):
            raise CannotStart(f"{self.map_file.name} has a bot named {self.name!r} already: choose another name.")
        lines.insert((found.end_lineno or 1) - 1, f"    {self._path_line()}")
        place, remark = import_place(lines, found.lineno, self.package, self.name)
        lines.insert(place, self._import_line() + remark)
        return "\n".join(lines) + "\n"

    def _by_hand(self) -> str:
        return (
            f"{self.map_file} has no list '{LIST} = [' with one bot a line. Make one for the chats' scope types:\n"
            f"    {self._import_line()}\n    {LIST} = [\n        {self._path_line()}\n    ]\n"
            f"    … URLRouter({LIST}) …"
        )

    def _import_line(self) -> str:
        return f"from {self.package}.{self.name} import {self.consumer}"

    def _path_line(self) -> str:
        return f'path("{self.name}/", {self.consumer}.as_asgi()),'

    def _filled(self, template: str) -> str:
        words = {"name": self.name, "package": self.package, "consumer": self.consumer}
        return Template(read(TEMPLATES / template)).substitute(words, title=self.name.replace("_", " "))


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CannotStart(f"{path} cannot be read: {error.strerror}.") from None


def bots_list(tree: ast.Module) -> ast.List | None:
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)]
    for node in assigned:
        if any(isinstance(target, ast.Name) and target.id == LIST for target in node.targets):
            return node.value if isinstance(node.value, ast.List) else None
    return None


def paths(bots: ast.List) -> set[object]:
    calls = [node for node in bots.elts if isinstance(node, ast.Call) and node.args]
    return {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}


def import_place(lines: list[str], end: int, package: str, name: str) -> tuple[int, str]:
    """Where the import belongs among the bots' others, in order, and the remark that those carry."""
    pattern = re.compile(rf"from {re.escape(package)}\.(\w+) import [^(]*?(  #.*)?$")
    others = [(number, match) for number, line in enumerate(lines[:end]) if (match := pattern.match(line))]
    if not others:
        last = max((n for n, line in enumerate(lines[:end]) if line.startswith(("import ", "from "))), default=-1)
        return last + 1, ""
    after = [number for number, match in others if match[1] > name]
    remark = next((match[2] for _, match in others if match[2]), "")
    return (after[0] if after else others[-1][0] + 1), remark
