"""The laboratory is a user of the library: it imports what the library shows, and nothing behind that."""

import ast
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
FACES = (
    "intertwine",
    "intertwine.baselines",
    "intertwine.baselines.relaxed",
    "intertwine.binding",
    "intertwine.cli",
    "intertwine.decay",
    "intertwine.diagnostics",
    "intertwine.errors",
    "intertwine.groups",
    "intertwine.nn",
    "intertwine.projectors",
    "intertwine.representations",
    "intertwine.testing",
    "intertwine.training",
)


def deep_imports(text):
    """(line, module, name) of imports of the library that go past its faces, or take a name that a face hides."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, name.name, "") for name in node.names if name.name.startswith("intertwine.")]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "intertwine":
            if node.module not in FACES:
                found.append((node.lineno, node.module, ""))
                continue
            shown = getattr(import_module(node.module), "__all__", None)
            found += [
                (node.lineno, node.module, n.name) for n in node.names if shown is not None and n.name not in shown
            ]
    return found


def test_the_laboratory_uses_public_faces():
    files = sorted((ROOT / "experiments").rglob("*.py"))
    assert len(files) > 80
    found = {str(path.relative_to(ROOT)): deep_imports(path.read_text()) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_deep_import_is_found():
    assert deep_imports("from intertwine.projectors.methods.orbit import OrbitProjector") == [
        (1, "intertwine.projectors.methods.orbit", "")
    ]
    assert deep_imports("from intertwine.projectors import Part") == [(1, "intertwine.projectors", "Part")]
    assert deep_imports("import intertwine.projectors.methods.orbit")
    assert not deep_imports("import intertwine as iw\nfrom intertwine.binding import bind")
