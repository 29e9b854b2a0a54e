"""`serve --reload`: a small parent runs the server as a child, and again whenever a source file has changed.

The parent imports nothing of the project's own that a change could break, so it outlives every mistake.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

CHILD = "SWITCHBOARD_RELOADED"
"""Set in the environment of the child."""
BROKEN_SOURCES = 3
"""The child's exit code where only a change of a source file can help."""
LOOK_SECONDS = 0.5
STOP_SECONDS = 3.0
SUFFIXES = (".py", ".html")
NOT_OURS = {"data", "tests", "node_modules", "__pycache__"}

Stamps = dict[str, tuple[int, int]]


class Reloader:
    """`run` once. `say` gets what the author should read; `left_out`: folders that are no sources."""

    def __init__(
        self, command: Sequence[str], root: Path, say: Callable[[str], None], left_out: Sequence[Path] = ()
    ) -> None:
        self._command = command
        self._root = root
        self._say = say
        self._left_out = {str(folder.resolve()) for folder in left_out}
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._seen: Stamps = {}

    def run(self) -> int:
        """Returns once a signal has ended the child, or the first one cannot start; with the child's exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._forward)
        first, code = True, None
        while not self._stopped:
            code = self._run_child()
            if code == 0 or (first and code not in (None, BROKEN_SOURCES)):
                break
            if code is not None and not self._stopped:
                self._say("It is started again as soon as a file changes.")
                self._wait_for_change()
            first = False
        # A child that a signal meets before it listens for signals ends by it, with a negative code.
        return max(code or 0, 0)

    def _run_child(self) -> int | None:
        """None: it was stopped because of a change; else its exit code."""
        self._seen = self._look()
        environment = {**os.environ, CHILD: "1"}
        # In a process group of its own: Ctrl-C goes to the parent alone, so that the child hears it once.
        self._child = child = subprocess.Popen(self._command, env=environment, process_group=0)  # noqa: S603
        if self._stopped:
            child.terminate()
        while child.poll() is None:
            if not self._stopped and self._has_changed():
                self._stop_child(child)
                return None
            pause(child)
        return child.returncode

    def _stop_child(self, child: "subprocess.Popen[bytes]") -> None:
        """A second signal ends at once what still runs: it is in the rows, and is fed again."""
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.terminate()
            child.wait()

    def _wait_for_change(self) -> None:
        while not self._stopped and not self._has_changed():
            time.sleep(LOOK_SECONDS)

    def _has_changed(self) -> bool:
        now = self._look()
        changed = sorted(path for path in now.keys() | self._seen.keys() if now.get(path) != self._seen.get(path))
        self._seen = now
        if changed:
            names = [os.path.relpath(path, self._root) for path in changed[:3]]
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            self._say(f"Changed: {', '.join(names)}{more}. Starting again…")
        return bool(changed)

    def _look(self) -> Stamps:
        return dict(stamps(str(self._root), self._left_out))

    def _forward(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(number)


def pause(child: "subprocess.Popen[bytes]") -> None:
    try:
        child.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return


def stamps(folder: str, left_out: set[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each source file below with its time and size. A file that goes away meanwhile is not there."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if is_ours(entry, left_out):
                yield from stamps(entry.path, left_out)
        elif entry.name.endswith(SUFFIXES) and not entry.name.startswith("."):
            try:
                found = entry.stat()
            except OSError:
                continue
            yield entry.path, (found.st_mtime_ns, found.st_size)


def is_ours(entry: "os.DirEntry[str]", left_out: set[str]) -> bool:
    return not (
        entry.name in NOT_OURS
        or entry.name.startswith(".")
        or entry.path in left_out
        or os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
    )


def is_child() -> bool:
    return CHILD in os.environ


def follow_parent() -> None:
    """In the child: ends with its parent, also where that was killed."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True, name="follows its parent").start()


def end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """`python -m gateway.reload manage.py serve --reload`: the parent without Django, which takes a second to load."""
    data = Path(os.environ.get("DATA_DIR", "data"))
    return Reloader([sys.executable, *sys.argv[1:]], Path.cwd(), tell, [data]).run()


def tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
