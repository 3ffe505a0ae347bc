"""The networks of other packages themselves, unchanged, where these are installed; their patterns are tested beside."""

import importlib
import importlib.util

import pytest

import intertwine as iw

# Package, source of the benchmark's cases, case, and what is expected: typed, free, ranks of some.
EXPECTED = [
    ("torch_geometric", "of_pyg", "SchNet, given graph", 0, 23, {}),
    ("torch_geometric", "of_pyg", "SchNet", 0, 23, {}),
    ("torch_geometric", "of_pyg", "DimeNet++", 0, 81, {}),
    ("torch_geometric", "of_pyg", "ViSNet, l = 2", 0, 63, {}),
    (
        "torch_geometric",
        "of_pyg",
        "GCNConv",
        5,
        0,
        {"one.lin.weight": 2 * 3, "two.lin.weight": 48},
    ),
    (
        "torch_geometric",
        "of_pyg",
        "GATConv",
        9,
        0,
        {"one.lin.weight": 2 * 2 * 3, "one.att_src": 2},
    ),
    ("torch_geometric", "of_pyg", "GINConv", 9, 0, {}),
    ("schnetpack", "of_schnetpack", "PaiNN, forces", 0, 25, {}),
    ("mace", "of_mace", "MACE, forces", 0, 24, {}),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("package", "source", "name", "typed", "free", "ranks"), EXPECTED)
def test_networks_of_other_packages(package, source, name, typed, free, ranks):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    cases = importlib.import_module(f"benchmarks.models.sources.{source}").cases()
    case = next(case for case in cases if case.name == name)
    ends = {"rep_in": case.rep_in, "rep_out": case.rep_out, "example": case.example}
    binding = iw.bind(case.make(), **ends)
    assert (len(binding), len(binding.free)) == (typed, free)
    assert {weight: binding[weight].projector.rank for weight in ranks} == ranks
    assert binding.breakers == ()
    binding.project_()
    error = iw.equivariance_error(
        binding.model, case.rep_in, case.rep_out, case.example, num_samples=4, group=binding.group
    )
    assert float(error.relative_worst) < 1e-5


def test_pointnet_says_that_positions_have_no_path():
    pytest.importorskip("torch_geometric")
    cases = importlib.import_module("benchmarks.models.sources.of_pyg").cases()
    case = next(case for case in cases if case.name == "PointNetConv")
    binding = iw.bind(case.make(), rep_in=case.rep_in, rep_out=case.rep_out, example=case.example)
    assert any(note.startswith("no path from the input[1], 1o, to the output") for note in binding.notes)
