import copy

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.representations import Representation, Segment


def ir_mul(rep):
    return Representation(rep.group, tuple(Segment(s.mul, s.field, "ir_mul") for s in rep.segments))


C4, D4, SO3, O3 = iw.Cyclic(4), iw.Dihedral(4), iw.SO(3), iw.O(3)
REPRESENTATIONS = {
    "SO(3) irreps": SO3.irreps("3x0 + 2x1 + 2 + 2x0"),
    "SO(3) ir_mul": ir_mul(SO3.irreps("3x0 + 2x1 + 2x2")),
    "O(3) irreps": O3.irreps("2x0e + 2x0o + 2x1o + 1e"),
    "C4 regular": 3 * C4.regular(),
    "C4 grid": C4.grid(3, 3) + 2 * C4.trivial(),
    "D4 mixed": D4.regular() + 2 * D4.standard() + D4.trivial(),
    "Trivial": 3 * iw.Trivial().trivial(),
}
LAYERS = {
    "gate": iw.nn.Gate,
    "norm activation": iw.nn.NormActivation,
    "field norm": iw.nn.FieldNorm,
    "invariant readout": iw.nn.InvariantReadout,
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def randomised(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=seeded(9)) + 0.5)
    return layer


def elements(group):
    return group.elements() if group.is_finite else group.sample(8, generator=seeded(1))


def assert_law(layer, rep_in, rep_out, x):
    """f(g x) = g f(x)."""
    y = layer(x)
    assert y.shape == (*x.shape[:-1], rep_out.dim)
    for g in elements(rep_in.group):
        torch.testing.assert_close(layer(rep_in.act(g, x)), rep_out.act(g, y), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rep", REPRESENTATIONS.values(), ids=REPRESENTATIONS.keys())
@pytest.mark.parametrize("kind", LAYERS.values(), ids=LAYERS.keys())
def test_module_law(kind, rep):
    layer = randomised(kind(rep)).double()
    x = torch.randn(2, 5, layer.rep_in.dim, generator=seeded(), dtype=torch.float64)
    assert_law(layer, layer.rep_in, layer.rep_out, x)


@pytest.mark.parametrize("rep", REPRESENTATIONS.values(), ids=REPRESENTATIONS.keys())
@pytest.mark.parametrize("kind", LAYERS.values(), ids=LAYERS.keys())
def test_leading_shapes_precision_and_gradients_at_zero(kind, rep):
    layer = kind(rep)
    width = layer.rep_in.dim
    for shape in ((width,), (0, width), (2, 3, 1, width)):
        assert layer(torch.zeros(shape)).shape == (*shape[:-1], layer.rep_out.dim)
    x = torch.randn(4, width, generator=seeded())
    reference = layer(x)
    for dtype, tolerance in ((torch.float16, 5e-3), (torch.bfloat16, 5e-2)):
        half = layer(x.to(dtype))
        assert half.dtype == dtype
        torch.testing.assert_close(half.float(), reference, rtol=tolerance, atol=tolerance)
        assert copy.deepcopy(layer).to(dtype)(x.to(dtype)).dtype == dtype
    # float16 squares overflow at 256, so norms are taken in float32.
    assert torch.isfinite(layer(torch.full((width,), 300.0, dtype=torch.float16))).all()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.float32
    zero = torch.zeros(2, width, requires_grad=True)
    layer(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()
    assert layer.state_dict().keys() <= {"weight"}


@pytest.mark.parametrize("rep", REPRESENTATIONS.values(), ids=REPRESENTATIONS.keys())
@pytest.mark.parametrize("kind", LAYERS.values(), ids=LAYERS.keys())
def test_gradients(kind, rep):
    layer = randomised(kind(rep)).double()
    x = torch.randn(2, layer.rep_in.dim, generator=seeded(), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x, fast_mode=True)


@pytest.mark.parametrize("kind", LAYERS.values(), ids=LAYERS.keys())
def test_refused(kind):
    layer = kind(SO3.irreps("2x0 + 1"))
    with pytest.raises(
        iw.errors.ShapeError, match=rf"x: expected shape \(\.\.\., {layer.rep_in.dim}\), from .*; got shape \(2, 9\)"
    ):
        layer(torch.zeros(2, 9))
    with pytest.raises(iw.errors.DtypeError, match=r"x: expected real floating-point features; got torch\.int64"):
        layer(torch.zeros(2, layer.rep_in.dim, dtype=torch.long))
    with pytest.raises(iw.errors.ArgumentError, match=r"rep: expected .*; got '8x0'"):
        kind("8x0")
    turn = torch.tensor([[1j]], dtype=torch.complex128)
    with pytest.raises(iw.errors.ArgumentError, match="rep: expected a real representation; got the complex"):
        kind(C4.representation(turn[None]))


@pytest.mark.parametrize("kind", [iw.nn.NormActivation, iw.nn.FieldNorm, iw.nn.InvariantReadout])
def test_norms_need_an_orthogonal_representation(kind):
    boost = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]], dtype=torch.float64)
    rep = iw.MatrixGroup(lie_algebra=boost).standard()
    with pytest.raises(
        iw.errors.NotOrthogonalError, match=r"rep: expected fields whose norm .* keeps; got .* iw.nn.Gate"
    ):
        kind(rep)
    gate = iw.nn.Gate(rep).double()
    x = torch.randn(3, 3, generator=seeded(), dtype=torch.float64)
    g = gate.rep_in.group.sample(1, generator=seeded())[0]
    torch.testing.assert_close(gate(gate.rep_in.act(g, x)), gate.rep_out.act(g, gate(x)))


@pytest.mark.parametrize("kind", LAYERS.values(), ids=LAYERS.keys())
def test_nothing_to_act_on(kind):
    layer = kind(Representation(SO3, ()))
    assert layer(torch.zeros(3, 0)).shape == (3, 0)


def test_split_and_join_in_both_layouts():
    rep = SO3.irreps("2x0 + 2x1")
    x = torch.arange(8.0)
    assert rep.split(x)[1].tolist() == [[2.0, 3.0, 4.0], [5.0, 6.0, 7.0]]
    assert ir_mul(rep).split(x)[1].tolist() == [[2.0, 4.0, 6.0], [3.0, 5.0, 7.0]]
    for layout in (rep, ir_mul(rep)):
        assert torch.equal(layout.join(layout.split(x)), x)


def test_gate_values():
    gate = iw.nn.Gate(SO3.irreps("1 + 1x0"), torch.relu, torch.tanh)
    assert str(gate.rep_in) == "1 + 2x0"
    y = gate(torch.tensor([3.0, 0.0, 4.0, -2.0, 0.5]))
    torch.testing.assert_close(y, torch.tensor([3.0, 0.0, 4.0, 0.0]) * torch.tensor(0.5).tanh())


def test_gate_equals_e3nn():
    e3nn_nn, o3 = pytest.importorskip("e3nn.nn"), pytest.importorskip("e3nn.o3")
    theirs = e3nn_nn.Gate("2x0e", [torch.tanh], "3x0e", [torch.sigmoid], "2x1o + 1x2e")
    ours = iw.nn.Gate(o3.Irreps("2x0e + 2x1o + 1x2e"), torch.tanh, torch.sigmoid)
    x = torch.randn(4, ours.rep_in.dim, generator=seeded())
    scalars, gated, gates = x.split([2, 11, 3], dim=-1)
    reordered = theirs(torch.cat([scalars, gates, gated], dim=-1))
    # e3nn scales its activations to unit second moment; ours are plain.
    acts = [theirs.act_scalars.acts[0].cst, theirs.act_gates.acts[0].cst]
    torch.testing.assert_close(ours(x) * torch.tensor([acts[0]] * 2 + [acts[1]] * 11), reordered, rtol=1e-5, atol=1e-5)


def test_norm_activation_equals_e3nn():
    e3nn_nn, o3 = pytest.importorskip("e3nn.nn"), pytest.importorskip("e3nn.o3")
    irreps = o3.Irreps("2x0e + 2x1o + 1x2e")
    theirs = e3nn_nn.NormActivation(irreps, torch.tanh)
    x = torch.randn(4, irreps.dim, generator=seeded())
    torch.testing.assert_close(iw.nn.NormActivation(irreps, torch.tanh)(x), theirs(x), rtol=1e-5, atol=1e-6)


def test_field_norm_normalises_each_field():
    norm = iw.nn.FieldNorm(SO3.irreps("8x0 + 4x1")).double()
    x = torch.randn(6, 20, generator=seeded(), dtype=torch.float64) * torch.tensor([100.0] * 8 + [0.1] * 12)
    scalars, vectors = norm(x).split([8, 12], dim=-1)
    torch.testing.assert_close(scalars.square().mean(-1), torch.ones(6, dtype=torch.float64), rtol=1e-2, atol=0)
    torch.testing.assert_close(vectors.square().mean(-1), torch.ones(6, dtype=torch.float64), rtol=1e-2, atol=0)
    with torch.no_grad():
        norm.weight.fill_(3.0)
    torch.testing.assert_close(norm(x)[..., :8], 3 * scalars)
    norm.reset_parameters()
    assert torch.equal(norm.weight, torch.ones(12, dtype=torch.float64))
    bare = iw.nn.FieldNorm(SO3.irreps("8x0 + 4x1"), affine=False)
    assert list(bare.parameters()) == []
    torch.testing.assert_close(bare(x), norm(x))
    # Its scales are typed with a trivial field for each copy.
    binding = iw.bind(norm, {"weight": len(norm.weight) * SO3.trivial()})
    assert binding.penalty() == 0
    assert binding.unaccounted == {}


def test_invariant_readout_values():
    readout = iw.nn.InvariantReadout(D4.regular() + 2 * D4.trivial() + D4.standard()).double()
    assert str(readout.rep_out) == str(4 * D4.trivial())
    x = torch.tensor([*range(8), -5, 6, 3, 4], dtype=torch.float64)
    torch.testing.assert_close(readout(x), torch.tensor([3.5, -5, 6, 5], dtype=torch.float64), rtol=1e-5, atol=1e-5)


def test_bad_eps():
    rep = SO3.irreps("1")
    for kind in (iw.nn.NormActivation, iw.nn.InvariantReadout):
        for eps in (0.0, -1.0, float("nan")):
            with pytest.raises(iw.errors.ArgumentError, match="eps: expected a positive number"):
                kind(rep, eps=eps)
    with pytest.raises(iw.errors.ArgumentError, match="eps: expected a number >= 0"):
        iw.nn.FieldNorm(rep, eps=-1.0)


# -- pointwise activations ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["C4 regular", "C4 grid", "Trivial"])
def test_pointwise_law(name):
    rep = REPRESENTATIONS[name]
    layer = iw.nn.PointwiseActivation(rep, nn.functional.gelu)
    assert_law(layer, rep, rep, torch.randn(3, rep.dim, generator=seeded(), dtype=torch.float64))


def test_odd_functions_on_signed_permutations():
    rep = O3.irreps("2x0e + 3x0o")
    layer = iw.nn.PointwiseActivation(rep, torch.tanh)
    assert_law(layer, rep, rep, torch.randn(3, 5, generator=seeded(), dtype=torch.float64))
    assert_law(
        iw.nn.PointwiseActivation(rep, nn.Hardtanh()),
        rep,
        rep,
        torch.randn(3, 5, generator=seeded(), dtype=torch.float64),
    )
    for activation in (torch.relu, nn.PReLU(), nn.functional.gelu):
        with pytest.raises(
            iw.errors.ArgumentError, match=r"got 0o in 2x0e \+ 3x0o, permuted with signs. Use an odd activation"
        ):
            iw.nn.PointwiseActivation(rep, activation)


@pytest.mark.parametrize("activation", [torch.relu, torch.tanh])
def test_pointwise_is_refused_on_irreps(activation):
    with pytest.raises(
        iw.errors.ArgumentError, match=r"got 1, 2 in 2x0 \+ 1 \+ 2. Use iw.nn.Gate or iw.nn.NormActivation"
    ):
        iw.nn.PointwiseActivation(SO3.irreps("2x0 + 1 + 2"), activation)
    # The refusal is right: the law fails there.
    rep = SO3.irreps("1")
    x = torch.randn(4, 3, generator=seeded(), dtype=torch.float64)
    g = SO3.sample(1, generator=seeded())[0]
    assert (activation(rep.act(g, x)) - rep.act(g, activation(x))).norm() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("kind", LAYERS.values(), ids=LAYERS.keys())
def test_compiles_without_graph_breaks(kind):
    layer = kind(SO3.irreps("3x0 + 2x1"))
    x = torch.randn(4, layer.rep_in.dim, generator=seeded())
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), layer(x))
