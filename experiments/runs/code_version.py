"""What results depend on: a digest of each folder of code that a task runs."""

import ast
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import experiments
import intertwine
from intertwine.diagnostics import environment

LABORATORY, LIBRARY = Path(experiments.__file__).parent, Path(intertwine.__file__).parent
# Parts of the library that compute nothing of a training: texts, the command line, assertions.
NOT_TRAINED_WITH = frozenset({"__init__", "cli", "errors", "testing"})
# Beside a task's own folder: the layers of another package, which several tasks build networks of.
SHARED = ("e2cnn",)
# What tasks are run and compared with, which changes no result.
AROUND = ("runs", "comparison")


def code_version(run: Callable[..., Any]) -> dict[str, str]:
    """By room, a digest of the code that the results of a task depend on, and the versions of torch and this library.

    Rooms are the task's folder, folders of other tasks that it imports from, what tasks share, and every room of the
    library that it trains with. Whole folders
    count, so that nothing is forgotten; import lines, comments, docstrings, layout and names of files do not, as they
    change no result.

    Args:
        run: the function of one run; the task's folder is the one that it stands in.

    Examples:
        >>> from experiments.rings.training import run_rings
        >>> version = code_version(run_rings)
        >>> len(version["projectors"]), version["torch"] == environment()["torch"]
        (12, True)
    """
    versions = environment()
    found = {name: versions[name] for name in ("intertwine", "torch")}
    folder = Path(inspect.getsourcefile(run) or "").parent
    found["task"] = _folder_digest(folder)
    others = {*SHARED, *_imported_folders(folder)} - {*AROUND, folder.name}
    found |= {f"experiments/{name}": _folder_digest(LABORATORY / name) for name in sorted(others)}
    rooms = sorted(path for path in LIBRARY.iterdir() if path.is_dir() or path.suffix == ".py")
    return found | {
        path.stem: _folder_digest(path)
        for path in rooms
        if path.stem not in NOT_TRAINED_WITH and (path.suffix == ".py" or any(path.glob("*.py")))
    }


def digest(version: Mapping[str, str]) -> str:
    """One text for all rooms."""
    return hashlib.sha256(json.dumps(dict(version), sort_keys=True).encode()).hexdigest()[:12]


def changed_rooms(recorded: object, version: Mapping[str, str]) -> list[str]:
    """The rooms that differ from those of a record; all of them if the record does not list rooms."""
    if not isinstance(recorded, Mapping):
        return sorted(version)
    return sorted(name for name in {*recorded, *version} if recorded.get(name) != version.get(name))


def _folder_digest(path: Path) -> str:
    """Of all code of a folder, or of one file, wherever in the folder a file lies and whatever it is called."""
    files = path.rglob("*.py") if path.is_dir() else [path]
    codes = sorted(filter(None, map(_code, files)))
    return hashlib.sha256("\n".join(codes).encode()).hexdigest()[:12]


def _imported_folders(path: Path) -> set[str]:
    """The folders of the laboratory that files of a folder import from."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in path.rglob("*.py"))
    lines = (node.module or "" for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    names = {line.split(".")[1] for line in lines if line.startswith(f"{LABORATORY.name}.")}
    return {name for name in names if (LABORATORY / name).is_dir()}


def _code(path: Path) -> str:
    """The syntax tree of a file, without what does not run and without import lines, which a move changes; or ""."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                setattr(node, field, [line for line in body if not isinstance(line, ast.Import | ast.ImportFrom)])
    return ast.dump(tree) if tree.body else ""
