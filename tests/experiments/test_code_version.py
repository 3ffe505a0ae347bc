import shutil

import pytest
import torch

from experiments.runs import code_version as module
from experiments.runs.code_version import changed_rooms, code_version, digest
from tests.experiments.toy_task import run_toy


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library whose files a test may edit."""
    folder = tmp_path / "intertwine"
    shutil.copytree(module.LIBRARY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "LIBRARY", folder)
    return folder


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_every_room_that_is_trained_with_counts():
    rooms = set(code_version(run_toy))
    assert {"task", "projectors", "binding", "baselines", "decay", "_numerics", "torch", "intertwine"} <= rooms
    assert not {"cli", "testing", "errors", "data", "__pycache__"} & rooms


def test_a_changed_decay_makes_records_stale(library):
    before = code_version(run_toy)
    edit(library / "decay" / "equivariance_decay.py", "self.steps += 1", "self.steps += 2")
    after = code_version(run_toy)
    assert changed_rooms(before, after) == ["decay"]
    assert digest(before) != digest(after)


def test_import_lines_comments_and_docstrings_change_nothing(library):
    before = code_version(run_toy)
    path = library / "decay" / "equivariance_decay.py"
    path.write_text("# a comment\n" + path.read_text() + "\nimport os\n")
    edit(library / "projectors" / "methods" / "orbit.py", '"""', '"""More words. ')
    assert changed_rooms(before, code_version(run_toy)) == []


def test_a_moved_file_changes_nothing(library):
    before = code_version(run_toy)
    room = library / "projectors" / "a_new_room"
    room.mkdir()
    (room / "__init__.py").write_text('"""A room."""\n')
    (library / "projectors" / "dispatch.py").rename(room / "another_name.py")
    assert changed_rooms(before, code_version(run_toy)) == []
    edit(room / "another_name.py", "def tensor_projector(", "def projector_of_tensors(")
    assert changed_rooms(before, code_version(run_toy)) == ["projectors"]


def test_a_record_without_rooms_is_stale_throughout():
    version = code_version(run_toy)
    assert changed_rooms("0123456789ab", version) == sorted(version)
    assert changed_rooms(None, version) == sorted(version)
    assert changed_rooms(version | {"torch": torch.__version__ + "x"}, version) == ["torch"]
