"""Who was with a handler when a process died, told by a file."""

from pathlib import Path
from typing import Any

import pytest

from gateway import recorder
from gateway.recorder import Recorder, last_words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_those_that_run_are_told_once() -> None:
    record = Recorder(7)
    for row in (11, 12, 13):
        record.begin(row)
    record.end(12)
    assert last_words(8) is None, "another's lease"
    assert last_words(7) == {11, 13}
    assert last_words(7) is None


def test_a_place_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "SLOTS", 3)
    record = Recorder(1)
    for row in range(10, 20):
        record.begin(row)
        record.end(row)
    record.begin(20)
    assert last_words(1) == {20}


def test_more_than_there_are_places_for_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "SLOTS", 3)
    record = Recorder(1)
    for row in (1, 2, 3):
        record.begin(row)
    assert last_words(1) is None


def test_after_a_planned_end_there_is_nothing(folder: Path) -> None:
    Recorder(1).close()
    assert last_words(1) is None
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_written_to_is_told(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.DATA_DIR = "/proc/no-such-folder"
    record = Recorder(1)
    record.begin(5)
    record.end(5)
    record.close()
    assert "DATA_DIR" in caplog.text
    assert last_words(1) is None


def test_half_a_record_is_none(folder: Path) -> None:
    Recorder(1)
    (path,) = folder.iterdir()
    path.write_bytes(b"\0" * 9)
    assert last_words(1) is None
