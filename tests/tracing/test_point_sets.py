"""Networks on molecules, point sets and graphs: expected types and ranks by hand, and every breaker by name."""

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.tracing import molecules

O3 = iw.O(3)
OH = iw.Octahedral(reflections=True)
GROUPS = {"O(3)": O3, "SO(3)": iw.SO(3), "Oh": OH, "O": iw.Octahedral()}
SPECIES = 1 + torch.arange(6) % 4
POSITIONS = 1.5 * torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
EDGES = torch.stack(torch.where(~torch.eye(6, dtype=torch.bool)))
MOLECULE = (SPECIES, POSITIONS)


def bound(model, rep_in, rep_out, example, group=None, **options):
    return iw.bind(model.eval(), rep_in=rep_in, rep_out=rep_out, example=example, group=group, **options)


def error(binding, rep_in, rep_out, example):
    binding.project_()
    return float(iw.equivariance_error(binding.model, rep_in, rep_out, example, group=binding.group))


def axes(binding, name):
    return tuple(str(rep) for rep in binding[name].projector.axes)


def ranks(binding, *names):
    return [binding[name].projector.rank for name in names]


def outputs(binding, function):
    return [str(call.outputs[0]) for call in binding.types if call.place.function == function]


def seeded(make, *args, **options):
    torch.manual_seed(0)
    return make(*args, **options)


FREE = {
    "SchNet": (molecules.SchNet, MOLECULE, None),
    "DimeNet": (molecules.DimeNet, MOLECULE, None),
    "EGNN": (molecules.EGNN, (torch.randn(6, 3), POSITIONS, EDGES), (None, "vector")),
    "PaiNN": (molecules.PaiNN, (*MOLECULE, EDGES), (None, "vector")),
    "equivariant transformer": (molecules.EquivariantTransformer, (*MOLECULE, EDGES), (None, "vector")),
    "tensors": (molecules.Tensors, (*MOLECULE, EDGES), (None, "matrix")),
}


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("name", FREE)
def test_networks_that_are_equivariant_by_construction_keep_every_weight(name, group):
    make, example, spec = FREE[name]
    vector = group.standard()
    reps = {None: None, "vector": vector, "matrix": vector.tensor(vector)}
    rep_in = tuple(vector if x is POSITIONS else None for x in example)
    rep_out = tuple(reps[one] for one in spec) if spec else None
    model = seeded(make)
    binding = bound(model, rep_in, rep_out, example)
    assert len(binding) == 0
    assert set(binding.free) >= {name for name, _ in model.named_parameters()}
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert not binding.inference.blind
    assert binding.notes == ()
    assert float(iw.equivariance_error(model, rep_in, rep_out, example, group=group)) < 1e-5


@pytest.mark.parametrize("group", [iw.O(2), iw.Dihedral(6)], ids=str)
def test_point_sets_of_the_plane(group):
    rep_in, rep_out = (None, group.standard(), None), (None, group.standard())
    example = (torch.randn(6, 3), POSITIONS[:, :2].double(), EDGES)
    model = seeded(molecules.EGNN).double()
    binding = bound(model, rep_in, rep_out, (example[0].double(), *example[1:]))
    assert (len(binding), binding.breakers, binding.notes) == (0, (), ())
    assert error(binding, rep_in, rep_out, (example[0].double(), *example[1:])) < 1e-13


def test_types_inside_are_those_that_one_reads_off_the_paper():
    example = (*MOLECULE, EDGES)
    rep_in = (None, O3.standard(), None)
    painn = bound(seeded(molecules.PaiNN), rep_in, (None, O3.standard()), example)
    # Messages add directions to vectors (edges, 3, width); the first ones are zeros read by index.
    assert outputs(painn, "index_add") == ["(6, 1, 8)", "(6, [1o], 8)"] * 2
    assert outputs(painn, "sqrt") == ["(6, 1, 8)"] * 2
    tensors = bound(seeded(molecules.Tensors), rep_in, (None, O3.standard().tensor(O3.standard())), example)
    assert outputs(tensors, "matmul") == ["(6, 8, [1o], [1o])"] * 2
    assert outputs(tensors, "diagonal") == ["(30, 1, ([1o])^2)"]
    assert outputs(tensors, "einsum") == ["(30, [1o], [1o])", "(6, 8)"]
    bent = bound(seeded(molecules.DimeNet), (None, O3.standard()), None, MOLECULE)
    assert [kind.partition(", ")[2] for kind in outputs(bent, "linalg_cross")] == ["[1e])"]


def test_coordinates_in_linear_layers_need_norms_without_a_mean_and_gates():
    rep, x = O3.standard(), torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(1))
    binding = bound(seeded(molecules.CartesianTransformer), rep, rep, x)
    assert binding.breakers == ()
    assert ranks(binding, "embed.weight", "out.weight") == [0, 0]
    forced = [note for note in binding.notes if "forced to trivial" in note]
    assert [note.partition(" features")[0] for note in forced] == ["48", "96", "96"]
    for note, function, remedy in zip(forced, ("layer_norm", "gelu"), ("nn.RMSNorm", "iw.nn.Gate"), strict=False):
        assert function in note
        assert remedy in note
    assert binding.notes[-1].startswith("no path from the input, 1o, to the output")
    # Without the norms half of each head is vectors: 24x0e + 8x1o in two heads of 12x0e + 4x1o.
    binding = bound(seeded(molecules.CartesianTransformer, norm=False), rep, rep, x)
    assert axes(binding, "embed.weight") == ("24x0e + 8x1o", "1o")
    names = ("embed.weight", "qkv.0.weight", "proj.0.weight", "feed.0.0.weight", "out.weight")
    assert ranks(binding, *names) == [8, 72 * 24 + 24 * 8, 24 * 24 + 8 * 8, 96 * 24, 8]
    assert not any("to the output" in note for note in binding.notes)
    assert binding.breakers == ()
    assert error(binding, rep, rep, x) < 1e-5


def test_coordinates_in_linear_layers_under_a_finite_group():
    rep, x = OH.standard(), torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(1))
    binding = bound(seeded(molecules.CartesianTransformer), rep, rep, x)
    assert axes(binding, "embed.weight") == ("regular", "T1u")
    # Vectors come up three times in the regular field, a mirror leaves two of three coordinates as they are.
    assert ranks(binding, "embed.weight", "feed.0.0.weight", "qkv.0.weight") == [3, 2 * 48, 6 * 24]
    assert binding.breakers == ()
    assert binding.notes == ()
    assert error(binding, rep, rep, x) < 1e-5


def test_positions_without_a_path_are_said_aloud():
    example = (torch.randn(6, 8), POSITIONS, EDGES)
    rep_in = (None, O3.standard(), None)
    binding = bound(seeded(molecules.PointConvolution), rep_in, None, example)
    assert axes(binding, "local.0.weight") == ("24x0e", "8x0e + 1o")
    assert ranks(binding, "local.0.weight") == [24 * 8]
    assert any(note.startswith("no path from 1o through local.0.weight") for note in binding.notes)
    assert any(note.startswith("no path from the input[1], 1o, to the output") for note in binding.notes)
    assert error(binding, rep_in, None, example) == 0


def test_positions_have_a_path_to_fields_of_a_finite_group():
    example = (torch.randn(6, 8), POSITIONS, EDGES)
    rep_in = (None, OH.standard(), None)
    model = seeded(molecules.PointConvolution)
    binding = bound(model, rep_in, None, example)
    # Channels are G/{1, m} with a coordinate's mirror m: two coordinates each, and (24 + 16/2) / 2 maps to itself.
    assert ranks(binding, "local.0.weight", "local.2.weight") == [8 + 2, 16]
    assert binding.notes == ()
    assert binding.breakers == ()
    binding.initialize_(generator=torch.Generator().manual_seed(0))
    moved = (example[0], POSITIONS.roll(1, 0), EDGES)
    assert float((model(*example) - model(*moved)).detach().abs().max()) > 1e-4
    assert error(binding, rep_in, None, example) < 1e-5


def test_neighbours_found_in_feature_space():
    x = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    binding = bound(seeded(molecules.DynamicEdges), OH.standard(), None, x)
    assert ranks(binding, "one.weight", "two.weight", "norm.weight") == [2 * 2, 2 * 16, 1]
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert error(binding, OH.standard(), None, x) < 1e-5


@pytest.mark.parametrize(
    ("group", "fields", "expected"),
    [
        (O3, "24x0e + 8x1o + 24x0e + 8x1o", [2 * 8 * 2, 2 * 24, 2 * 24, 8]),
        (OH, "2xregular", [2 * 2 * 3, 2, 2, 3]),
    ],
    ids=str,
)
def test_attention_over_neighbours_by_parameter_vectors(group, fields, expected):
    rep_in, rep_out = (2 * group.standard(), None), group.standard()
    example = (torch.randn(6, 6, generator=torch.Generator().manual_seed(0)), EDGES)
    binding = bound(seeded(molecules.GraphAttention, 6, 48), rep_in, rep_out, example)
    assert axes(binding, "lin.weight")[0] == fields
    # Scores are scalar products with parameters: these are vectors, invariant ones, and no diagonal maps.
    assert ranks(binding, "lin.weight", "source", "target", "out.weight") == expected
    assert binding.breakers == ()
    assert not any("to the output" in note for note in binding.notes)
    assert error(binding, rep_in, rep_out, example) < 1e-5


class Forces(nn.Module):
    """Minus the gradient of an energy, taken in the forward pass."""

    def __init__(self):
        super().__init__()
        self.energy = molecules.SchNet()

    def forward(self, species, positions):
        positions.requires_grad_(True)
        energy = self.energy(species, positions).sum()
        (force,) = torch.autograd.grad([energy], [positions], grad_outputs=[torch.ones_like(energy)])
        return energy, -force


def test_forces_that_a_model_differentiates_itself():
    rep_in, rep_out = (None, O3.standard()), (None, O3.standard())
    model = seeded(Forces)
    binding = bound(model, rep_in, rep_out, MOLECULE)
    assert set(binding.free) == {name for name, _ in model.named_parameters()}
    assert outputs(binding, "grad") == ["(6, [1o])"]
    assert (binding.breakers, binding.notes) == ((), ())
    assert error(binding, rep_in, rep_out, MOLECULE) < 1e-5
    wrong = bound(model, rep_in, (None, None), MOLECULE)
    assert "rep_out says that the group leaves it alone" in " ".join(wrong.notes)


class Product(nn.Module):
    """Products of vectors by components, where a scalar product was meant."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(3, 1)

    def forward(self, x, y):
        return self.out(x * y)


class WrongNorm(nn.Module):
    """Norms along the points, where those of the vectors were meant."""

    def forward(self, x):
        return x / x.norm(dim=0, keepdim=True)


class Upwards(nn.Module):
    """A direction of its own: up."""

    def forward(self, x):
        return x + 0.1 * torch.tensor([0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("model", "ends", "function", "remedy"),
    [
        (Product(), 2, "linear", "scalar product"),
        (WrongNorm(), 1, "norm", "the axis of the vectors"),
        (Upwards(), 1, "add", "a direction of its own"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, nn.Module) else "",
)
def test_what_breaks_is_named_with_a_remedy(model, ends, function, remedy):
    rep = O3.standard()
    x = torch.randn(ends, 5, 3, generator=torch.Generator().manual_seed(0))
    rep_in, example = ((rep,) * 2, tuple(x)) if ends == 2 else (rep, x[0])
    rep_out = None if ends == 2 else rep
    binding = bound(model, rep_in, rep_out, example)
    first = binding.breakers[0]
    assert first.function == function
    assert first.error > 1e-2
    assert remedy in first.reason
