"""Types files that say more than sums of irreps: other axes, bases and layouts, permutations as tables."""

import pytest
from torch import nn

import intertwine as iw
from intertwine.binding.types_file import read_types
from intertwine.errors import IntertwineError


def write(tmp_path, text):
    path = tmp_path / "types.toml"
    path.write_text(text, encoding="utf-8")
    return path


ALL = """
group = "SO(3)"

[representations]
harmonics = {irreps = "2x0 + 2x1", basis = "e3x", layout = "ir_mul"}

[modules]
"linear" = {in = "8x0", out = "4x0", over = "1"}
"norm" = {in = "4x0", out = "4x0", over = "2x0"}
"mixed" = {in = "harmonics", out = {irreps = "4x1", basis = "z-axis"}}
"""


def test_other_axes_and_bases(tmp_path):
    G = iw.SO(3)
    types = read_types(write(tmp_path, ALL))
    assert types["linear"].over == G.irrep(1)
    assert (types["linear"].rep_in, types["linear"].rep_out) == (8 * G.trivial(), 4 * G.trivial())
    assert types["norm"].over == 2 * G.trivial()
    assert types["mixed"] == (
        G.irreps("2x0 + 2x1", basis="e3x", layout="ir_mul"),
        G.irreps("4x1", basis="z-axis"),
    )
    model = nn.ModuleDict(
        {"linear": nn.Linear(8, 4, bias=False), "norm": nn.LayerNorm(4), "mixed": nn.Linear(8, 12, bias=False)}
    )
    binding = iw.bind(model, types)
    direct = iw.bind(model, {**types, "linear": iw.Typed(8 * G.trivial(), 4 * G.trivial(), over=G.irrep(1))})
    assert [entry.projector.rank for entry in binding] == [entry.projector.rank for entry in direct]
    assert binding["linear.weight"].projector.rank == 32


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ('{in = {irreps = "2x1", basis = "e4x"}, out = "1"}', r"modules.'0'.in.basis: expected 'e3nn' or .*got 'e4x'"),
        ('{in = {irreps = "2x1", basi = "e3x"}, out = "1"}', "a table of texts, irreps with basis and layout"),
        ('{in = {irreps = 3}, out = "1"}', "a table of texts, irreps with basis and layout"),
        ('{in = "1", out = "1", over = "q"}', r"modules.'0'.over: expected"),
        ('{in = {index_map = [1, 0]}, out = "1"}', r"nothing, as SO\(3\) has no discrete generators.*got \[1, 0\]"),
    ],
)
def test_wrong_tables_are_named(tmp_path, module, message):
    with pytest.raises(IntertwineError, match=message):
        read_types(write(tmp_path, f'group = "SO(3)"\n[modules]\n"0" = {module}\n'))


def test_too_few_permutations_name_the_order_of_the_generators(tmp_path):
    text = 'group = "D4"\n[parameters]\nx = {index_map = [1, 0, 2, 3]}\n'
    with pytest.raises(IntertwineError, match=r"the order of G.generators: turn by 90 degrees, mirror y -> -y\."):
        read_types(write(tmp_path, text))


def test_too_few_signs_say_how_many_there_must_be(tmp_path):
    text = 'group = "C2"\n[parameters]\nx = {permutation = [1, 0, 2], signs = [1, -1]}\n'
    with pytest.raises(IntertwineError, match=r"expected 3 signs, one a feature; got shape \(2,\)"):
        read_types(write(tmp_path, text))
