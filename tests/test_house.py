"""The habits of the house, counted: sizes of files and folders, what public names say of themselves, silenced types."""

import inspect
import os
import re
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = (
    "intertwine",
    "intertwine.baselines",
    "intertwine.baselines.relaxed",
    "intertwine.binding",
    "intertwine.decay",
    "intertwine.diagnostics",
    "intertwine.errors",
    "intertwine.groups",
    "intertwine.layers",
    "intertwine.nn",
    "intertwine.projectors",
    "intertwine.representations",
    "intertwine.testing",
    "intertwine.training",
)

# What computes nothing by a rule of its own has no source; everything else cites one, or says "Own".
WITHOUT_SOURCE = {
    "records: what a measurement found, or what others work on": """
        AbstractGroup Binding Breaker Certificate DataSymmetry Decomposition ElementTest Entry EquivarianceError Field
        FittedRepresentation FittedUnknown FittedWeight Geometry GridAction LayerGeometry LayerVerdict ModelCheck
        PairShare ParameterReport Report Residual Segment Subject TrainingCost Unanalysed""",
    "what layers mean: values that rules are made of": """
        Effective Finding GridMap LayerRule LayerType OutputFields Slot layer_rule""",
    "errors and warnings, and their words": """
        ArgumentError DecayWarning DtypeError GroupMismatchError IdentityActionWarning IntertwineError MissingExtraError
        NonFiniteError NotARepresentationError NotOrthogonalError RankZeroWarning SeparationError ShapeError
        SizeLimitError UnknownNameError listing missing_extra
        with_article""",
    "pages and pictures": """
        Bar PictureSection TableSection TextSection environment plot_chain plot_kernel plot_report render_html""",
    "plumbing: each method that it serves has its own source": """
        Hooks Method Regularization accelerated clock leave lightning_callback make_method peak_memory relaxed_layers
        relaxed_types scalars train_epochs training_step transformers_callback""",
}
EXEMPT = {name for names in WITHOUT_SOURCE.values() for name in names.split()}


def files(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def public(room):
    """Names that a room shows; without ``__all__`` all that it defines."""
    module = import_module(room)
    listed = getattr(module, "__all__", None)
    return listed or [
        name for name, value in vars(module).items() if not name.startswith("_") and _home(value) == module.__name__
    ]


def documented():
    """The public classes and functions by name; modules, and values that cannot carry a docstring, are left out."""
    found = {}
    for room in ROOMS:
        for name in public(room):
            value = getattr(import_module(room), name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert found.setdefault(name, value) is value, f"{name} means two things"
    return found


def listed():
    """What ``docs/reference`` lists, in its order: a page a task."""
    pages = [page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs" / "reference").glob("*.md"))]
    return [name for page in pages for name in re.findall(r"^::: (\S+)$", page, flags=re.MULTILINE)]


def _home(value):
    return getattr(value, "__module__", None)


def test_files_are_short():
    """50 to 250 lines; at most eight are longer, and none over 400."""
    long = {
        str(path.relative_to(ROOT)): lines(path)
        for path in files("src", "experiments", "benchmarks", "tests")
        if lines(path) > 250
    }
    assert {name: n for name, n in long.items() if n > 400} == {}
    assert len([name for name in long if not name.startswith("tests")]) <= 8, long


def test_folders_are_rooms_and_no_halls():
    counts = {}
    for path in files("src", "experiments", "benchmarks"):
        folder = str(path.parent.relative_to(ROOT))
        counts[folder] = counts.get(folder, 0) + 1
    assert {folder: n for folder, n in counts.items() if n > 22} == {}


def test_types_are_hardly_silenced():
    """``type: ignore`` says that the types are wrong: at most six times in the library, each with its rule."""
    silenced = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files("src")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "type: ignore" in line
    ]
    assert len(silenced) <= 6, silenced


@pytest.mark.parametrize("name", sorted(documented()))
def test_public_names_say_what_they_are(name):
    """A docstring, an example (``make doctest`` runs it), and the source of what is computed."""
    text = documented()[name].__doc__ or ""
    assert len(text.split()) >= 3
    assert ">>> " in text
    source = re.search(r"^ *Source:\s+\S", text, flags=re.MULTILINE)
    assert (source is None) == (name in EXEMPT), "a Source: section, or a place in WITHOUT_SOURCE, and not both"


def test_the_reference_lists_every_public_name_once():
    names = listed()
    assert sorted(names) == sorted(set(names))
    found = [getattr(import_module(room), name) for room, _, name in (path.rpartition(".") for path in names)]
    shown = [getattr(import_module(room), name) for room in ROOMS for name in public(room)]
    rooms = [value for value in shown if inspect.ismodule(value) and value.__name__ in ROOMS]
    missing = [value for value in shown if not any(value is other for other in found + rooms)]
    assert missing == []
    assert all(sum(value is other for other in found) == 1 for value in found), "listed twice, under two rooms"


def test_nothing_is_exempt_that_is_not_there():
    assert set() == EXEMPT - set(documented())


def test_the_wheel_holds_code_alone(tmp_path):
    """As hatchling packs it: no data, no tests, and no larger than CHANGELOG says."""
    packed = [path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    kinds = {path.suffix for path in packed}
    assert kinds <= {".py", ".jinja", ".typed"}, kinds
    with zipfile.ZipFile(tmp_path / "wheel.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in packed:
            archive.write(path, path.relative_to(ROOT / "src"))
    assert (tmp_path / "wheel.zip").stat().st_size < 0.85e6


def test_the_command_stands_alone():
    """``intertwine report`` is what a wheel brings; it needs nothing of the clone."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "intertwine.cli", "report", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "report" in done.stdout


def examples():
    """Rows of CONTRIBUTING's "Where do I add ...": (what, paths that it names, hash and subject of the example)."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Where do I add ...?")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| a")]
    return [(what, re.findall(r"`([^`]*/[^`]*)`", where), example) for what, where, example in rows]


def test_contributing_says_where_each_thing_goes():
    kinds = "group", "layer type", "projector method", "rule", "baseline", "experiment", "finding"
    assert [next(kind for kind in kinds if f" {kind}" in what) for what, _, _ in examples()] == list(kinds)
    for what, paths, _ in examples():
        assert paths, what
        assert [path for path in paths if not (ROOT / path).exists()] == [], what


def test_contributing_shows_commits_of_this_history():
    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)

    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("no git history here")
    for what, _, example in examples():
        commit, subject = re.fullmatch(r"`(\w+)` (.*)", example).groups()
        assert git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0, f"{what}: {commit}"
        assert git("log", "-1", "--format=%s", commit).stdout.strip() == subject, f"{what}: {commit}"


def test_the_import_does_without_scipy():
    """It takes a quarter of a second to load, and is loaded where it is first used."""
    code = "import sys, intertwine; print(sorted(name for name in sys.modules if name.startswith('scipy')))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
