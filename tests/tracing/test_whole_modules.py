"""Modules and functions that are one call of a run: those that know their own irreps, and those of a user's rules."""

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.tracing.normal_form import carried

O3, OH = iw.O(3), iw.Octahedral(reflections=True)
POSITIONS = 1.5 * torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
HIDDEN = "8x0e + 4x1o"
FEATURES = torch.randn(7, 20, generator=torch.Generator().manual_seed(0))


def bound(model, rep_in, rep_out, example, **options):
    return iw.bind(model.eval(), rep_in=rep_in, rep_out=rep_out, example=example, **options)


def error(binding, rep_in, rep_out, example):
    binding.project_()
    return float(iw.equivariance_error(binding.model, rep_in, rep_out, example, group=binding.group))


def outputs(binding, function):
    return [str(call.outputs[0]) for call in binding.types if call.place.function == function]


@pytest.fixture
def e3nn():
    return pytest.importorskip("e3nn")


def gate():
    from e3nn import nn as enn

    return enn.Gate("8x0e", [torch.nn.functional.silu], "4x0e", [torch.sigmoid], "4x1o")


class Interaction(nn.Module):
    """A layer of NequIP: products with harmonics of the offsets, weighted by an MLP of their lengths."""

    def __init__(self):
        from e3nn import nn as enn
        from e3nn import o3

        super().__init__()
        self.gate = gate()
        instructions = [(0, 0, 0, "uvu", True), (0, 1, 2, "uvu", True), (1, 0, 1, "uvu", True)]
        middle = o3.Irreps("8x0e + 4x1o + 8x1o")
        self.product = o3.TensorProduct(HIDDEN, "0e + 1o", middle, instructions, shared_weights=False)
        self.radial = enn.FullyConnectedNet([6, 8, self.product.weight_numel], torch.nn.functional.silu)
        self.one, self.two = o3.Linear(HIDDEN, HIDDEN), o3.Linear(middle, self.gate.irreps_in)

    def forward(self, x, positions):
        from e3nn import o3

        target, source = torch.where(torch.cdist(positions, positions) > 0)
        offsets = positions[source] - positions[target]
        radial = torch.exp(-((offsets.norm(dim=-1, keepdim=True) - torch.linspace(0, 4, 6)) ** 2))
        harmonics = o3.spherical_harmonics("0e + 1o", offsets, normalize=True)
        messages = self.product(self.one(x)[source], harmonics, self.radial(radial))
        return x + self.gate(self.two(torch.zeros(len(x), messages.shape[1]).index_add(0, target, messages)))


@pytest.mark.parametrize("group", [O3, iw.SO(3), OH], ids=str)
def test_modules_of_e3nn_say_their_own_types(e3nn, group):
    torch.manual_seed(0)
    rep = O3.irreps(HIDDEN).restrict(group)
    binding = bound(Interaction(), (rep, group.standard()), rep, (FEATURES[:6], POSITIONS))
    assert len(binding) == 0
    assert set(binding.free) == {name for name, _ in binding.model.named_parameters()}
    assert not binding.unaccounted
    assert not binding.inference.unknown
    assert (binding.breakers, binding.notes) == ((), ())
    products = O3.irreps("8x0e + 4x1o + 8x1o").restrict(group)
    assert outputs(binding, "TensorProduct") == [f"(30, [{products}])"]
    assert outputs(binding, "SphericalHarmonics") == [f"(30, [{O3.irreps('0e + 1o').restrict(group)}])"]
    assert outputs(binding, "Gate") == [f"(6, [{rep}])"]
    assert error(binding, (rep, group.standard()), rep, (FEATURES[:6], POSITIONS)) < 1e-5


def test_layers_of_torch_get_their_types_from_modules_of_e3nn_beside_them(e3nn):
    model = nn.Sequential(nn.Linear(20, 24), gate(), nn.Linear(20, 3))
    rep, vector = O3.irreps(HIDDEN), O3.irreps("1o")
    binding = bound(model, rep, vector, FEATURES)
    assert [str(axis) for axis in binding["0.weight"].projector.axes] == ["12x0e + 4x1o", HIDDEN]
    assert [str(axis) for axis in binding["2.weight"].projector.axes] == ["1o", HIDDEN]
    ranks = [binding[name].projector.rank for name in ("0.weight", "0.bias", "2.weight", "2.bias")]
    assert ranks == [12 * 8 + 4 * 4, 12, 4, 0]
    assert binding.breakers == ()
    assert error(binding, rep, vector, FEATURES) < 1e-5


def test_what_a_module_of_e3nn_does_not_keep_is_a_breaker_by_its_path(e3nn):
    from e3nn import nn as enn

    rep, x = O3.irreps("0e + 1o + 2e"), FEATURES[:, :9]
    (breaker,) = bound(nn.Sequential(enn.S2Activation("0e + 1o + 2e", torch.tanh, 6)), rep, rep, x).breakers
    assert (breaker.module, breaker.function) == ("0", "S2Activation")
    assert breaker.error > 1e-2


def test_scripted_code_inside_modules_with_irreps_is_seen_from_outside(e3nn):
    from e3nn import o3

    rep = O3.irreps(HIDDEN)
    model = nn.Sequential(o3.Linear(HIDDEN, HIDDEN))
    model[0].generated = torch.jit.script(nn.Identity())
    assert bound(model, rep, rep, FEATURES).free == ("0.weight",)
    model.append(torch.jit.script(nn.Identity()))
    with pytest.raises(iw.errors.ArgumentError, match="scripted ones: 1"):
        bound(model, rep, rep, FEATURES)


class Harmonics(nn.Module):
    """Products of components: what a run cannot follow."""

    def forward(self, v):
        x, y, z = v[..., 0], v[..., 1], v[..., 2]
        return torch.stack([x, y, z, 3**0.5 * x * z, 3**0.5 * x * y, y * y - (x * x + z * z) / 2], -1)


class Readout(nn.Module):
    """Vectors and some quadratic components to a vector."""

    def __init__(self):
        super().__init__()
        self.harmonics, self.linear = Harmonics(), nn.Linear(6, 3, bias=False)

    def forward(self, v):
        return self.linear(self.harmonics(v))


@torch.jit.script
def added_up(x: torch.Tensor, index: torch.Tensor, size: int) -> torch.Tensor:
    out = torch.zeros([size, x.shape[1]])
    return out.index_add(0, index, x)


class Scripted(nn.Module):
    """Messages added up by a scripted function, as SchNetPack's."""

    def forward(self, v, index):
        return added_up(v, index, 3)


def flipped(v):
    return torch.stack([v[..., 2], -v[..., 1], v[..., 0]], -1)


class Flipped(nn.Module):
    """Vectors through a Python function that mixes their components."""

    def forward(self, v):
        return flipped(v)


def test_classes_of_modules_have_rules_as_functions_have():
    rep = O3.standard()
    first = bound(Readout(), rep, rep, POSITIONS).breakers[0]
    assert "reads single components of 1o" in first.reason
    assert "rules=" in first.reason

    def rule(ctx, out, module, v):
        lead = ctx.axes(v)[:-1]
        ctx.unify(ctx.axes(v)[-1], carried(rep))
        return [*lead, carried(D2)]

    # Under turns by half about the axes every one of the six is even or odd by itself.
    D2 = iw.FiniteGroup([torch.diag(torch.tensor(signs)) for signs in ((1.0, -1, -1), (-1.0, -1, 1))], name="D2")
    rep = D2.standard()
    signs = torch.stack([torch.diag(torch.tensor(s)) for s in ((1.0, -1, -1, -1, -1, 1), (-1.0, -1, 1, -1, 1, 1))])
    D2, group = D2.representation(signs.double()), D2
    binding = bound(Readout(), rep, rep, POSITIONS, group=group, rules={Harmonics: rule}, strict=True)
    assert outputs(binding, "Harmonics") == [f"(6, [{D2}])"]
    # xz goes with y and xy with z: a weight has a place for each of the vectors, and for these two.
    assert binding["linear.weight"].projector.rank == 5
    assert error(binding, rep, rep, POSITIONS) < 1e-6


def test_a_wrong_rule_of_a_module_is_a_breaker():
    def wrong(ctx, out, module, v):
        return [*ctx.axes(v)[:-1], carried(O3.irreps("2x1o"))]

    (breaker,) = bound(Readout(), O3.standard(), O3.standard(), POSITIONS, rules={Harmonics: wrong}).breakers
    assert (breaker.module, breaker.function) == ("harmonics", "Harmonics")


def test_scripted_functions_run_as_they_are_written():
    example = (POSITIONS, torch.arange(6) % 3)
    binding = bound(Scripted(), (O3.standard(), None), O3.standard(), example)
    assert outputs(binding, "index_add") == ["(3, [1o])"]
    assert (binding.breakers, binding.notes) == ((), ())
    assert isinstance(added_up, torch.jit.ScriptFunction)


def test_python_functions_have_rules_too():
    def rule(ctx, out, v):
        return ctx.axes(v)

    C2 = iw.FiniteGroup([torch.tensor([[-1.0, 0, 0], [0, 1.0, 0], [0, 0, -1.0]])], name="half turn")
    rep = C2.standard()
    original = flipped
    binding = bound(Flipped(), rep, rep, POSITIONS, rules={flipped: rule}, strict=True)
    assert outputs(binding, "flipped") == [f"(6, [{rep}])"]
    assert binding.breakers == ()
    assert flipped is original


class Written(nn.Module):
    """Harmonics of degrees 1 and 2 by components, with the polar axis given, and products of both by norms."""

    def __init__(self, polar):
        super().__init__()
        self.polar = polar

    def forward(self, v):
        x, y, z = (v[:, (i + self.polar + 1) % 3] for i in range(3))  # z is polar
        s = 3**0.5
        two = [s * x * y, s * y * z, z * z - (x * x + y * y) / 2, s * x * z, s / 2 * (x * x - y * y)]
        return torch.stack([v[:, 0], v[:, 1], v[:, 2], *two], -1)


class OfHarmonics(nn.Module):
    """Vectors weighted by what the harmonics of degree 2 of two arrays have in common."""

    def __init__(self, polar=2):
        super().__init__()
        self.harmonics, self.mix = Written(polar), nn.Linear(8, 8, bias=False)

    def forward(self, v, w):
        one, two = self.mix(self.harmonics(v)), self.harmonics(w)
        return (one[:, 3:] * two[:, 3:]).sum(-1, keepdim=True) * one[:, :3]


@pytest.mark.parametrize("polar", [1, 2])
def test_harmonics_that_a_module_writes_out_are_typed_by_their_values(polar):
    vector, example = O3.standard(), (POSITIONS, POSITIONS.roll(1, 0))
    torch.manual_seed(0)
    binding = bound(OfHarmonics(polar), (vector, vector), vector, example)
    # With the polar axis of e3nn's irreps, y, it is 2e in its own basis, else in another one.
    second = "1o + 2e" if polar == 1 else "1o + images[5]"
    assert outputs(binding, "Written") == [f"(6, [{second}])"] * 2
    assert binding["mix.weight"].projector.rank == 2
    assert (binding.breakers, binding.notes) == ((), ())
    assert error(binding, (vector, vector), vector, example) < 1e-5
    found = bound(OfHarmonics(polar), (OH.standard(),) * 2, OH.standard(), example)
    assert found["mix.weight"].projector.rank == 1 + 2  # five components are E and T2
    assert found.breakers == ()


def test_what_is_multiplied_by_nothing_breaks_nothing():
    class Unused(nn.Module):
        def forward(self, v):
            return v + v.sum() * 0

    assert bound(Unused(), O3.standard(), O3.standard(), POSITIONS).breakers == ()
