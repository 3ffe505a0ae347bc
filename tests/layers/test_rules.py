"""Layer types of a user's own: by ``rules=``, by a rule on the class, and by types that a layer carries itself."""

import copy

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.layers.activations import POINTWISE, SOFTMAXES
from intertwine.layers.attention import ATTENTION
from intertwine.layers.convolutions import CONVOLUTIONS
from intertwine.layers.embedding import EMBEDDINGS
from intertwine.layers.inactive import INACTIVE
from intertwine.layers.linear import LINEAR
from intertwine.layers.norms import NORMS
from intertwine.layers.own import OWN
from intertwine.layers.pooling import POOLINGS
from intertwine.layers.registry import BUILT_IN, NOTHING, computed_rule_of, rule_of
from intertwine.layers.resizing import RESIZING
from tests.binding.acting import feature_error, image_error, randn
from tests.binding.cases import fill

C2, C4, SO3 = iw.Cyclic(2), iw.Cyclic(4), iw.SO(3)
R = 2 * C4.regular()


class Thinning(nn.Module):
    """Every second pixel, its channels mixed."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.empty(width_out, width_in))
        self.shift = nn.Parameter(torch.empty(width_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed = torch.einsum("oc,bchw->bohw", self.mix, x[..., ::2, ::2])
        return mixed + self.shift[:, None, None]


def parameters(module: Thinning, layer_type: iw.layers.LayerType) -> tuple[iw.layers.Slot, ...]:
    rep_in, rep_out = layer_type.rep_in, layer_type.rep_out
    layer_type.check_width("rep_in", rep_in, module.mix.shape[1], "inputs of mix")
    return layer_type.matrix("mix", rep_in, rep_out), layer_type.vector("shift", rep_out)


THINNING = iw.LayerRule(
    parameters=parameters,
    grid=lambda module, sides_in, sides_out: iw.layers.convolution_windows(sides_in, sides_out, kernel=1, stride=2),
)


def test_bind_report_and_geometry_know_a_layer_by_its_rule():
    model = fill(nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), Thinning(8, 4), nn.ReLU(), nn.Conv2d(4, 1, 1)).double())
    x, out = C4.trivial(), C4.irreps("2x0 + 2x2")
    types = {"0": (x, R), "1": (R, out), "3": (out, x)}
    with pytest.raises(iw.errors.ArgumentError, match=r"Type its parameters by name.*rules=\{Thinning: iw.LayerRule"):
        iw.bind(model, types)
    binding = iw.bind(model, types, rules={Thinning: THINNING})
    assert binding["1.mix"].projector.rank == 8  # two copies of 0 and of 2 each way
    assert binding.unaccounted == {}
    binding.project_()
    assert feature_error(lambda v: v @ model[1].mix.T, R, out, 8) < 1e-12
    (verdict,) = iw.report(binding).between
    assert (verdict.name, verdict.behind, verdict.acts_on, verdict.verdict) == ("2", "1", str(out), "breaks")
    assert iw.report(binding, example=randn(1, 1, 9, 9)).between == (verdict,)
    for side, expected in ((8, "breaks"), (9, "keeps")):
        x_side = randn(1, 1, side, side)
        found = iw.geometry(model, x_side, group=C4, rules={Thinning: THINNING}).layers
        assert [(layer.kind, layer.verdict) for layer in found][1] == ("Thinning", expected)
    model[2] = nn.Identity()
    assert image_error(model, x, x, (9, 9)) < 1e-12
    shifts = iw.torus(8, 8)
    found = iw.geometry(model, randn(1, 1, 8, 8), group=shifts.group, space=shifts, rules={Thinning: THINNING}).layers
    assert "1/2 of a pixel" in found[1].reason


def test_a_rule_on_the_class_is_found_along_its_ancestry_and_rules_come_first():
    rule = iw.LayerRule(fits=iw.layers.pointwise)

    @iw.layer_rule(rule)
    class Cube(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x**3

    class Cubic(Cube):
        pass

    class Cubes(Cube):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + x.abs()

    assert rule_of(Cube(), {}) is rule_of(Cubic(), {}) is computed_rule_of(Cubic(), {}) is rule
    assert rule_of(Cubes(), {}) is rule
    assert computed_rule_of(Cubes(), {}) is NOTHING
    other = iw.LayerRule(note="mine")
    assert rule_of(Cubic(), {Cube: other}) is other
    assert rule_of(Cube(), {Cubic: other}) is rule
    S = 2 * C2.irrep(1)
    net = nn.Sequential(nn.Linear(2, 2), Cubic(), nn.Linear(2, 2), Cubes(), nn.Linear(2, 2))
    types = {"0.weight": (S, S), "2.weight": (S, S), "4.weight": (S, S)}
    for example in (None, torch.zeros(1, 2)):
        found = iw.report(iw.bind(net, types), example=example).between
        assert ("1", "Cubic", "keeps") in [(v.name, v.kind, v.verdict) for v in found]
    # What its own forward calls is seen in a run: abs is even.
    assert ("3", "abs()", "breaks") in [(v.name, v.kind, v.verdict) for v in found]


def test_a_norm_layer_with_a_forward_of_its_own_is_looked_into():
    class NormAndActivation(nn.BatchNorm2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(super().forward(x))

    assert rule_of(NormAndActivation(4), {}).same
    assert computed_rule_of(NormAndActivation(4), {}) is NOTHING
    assert computed_rule_of(nn.SyncBatchNorm(4), {}) is NORMS[nn.SyncBatchNorm.__mro__[1]]
    S = 4 * C2.irrep(1)
    net = nn.Sequential(nn.Conv2d(4, 4, 1, bias=False), NormAndActivation(4), nn.Conv2d(4, 4, 1, bias=False)).eval()
    binding = iw.bind(net, {"0": (S, S), "2": (S, S)})
    found = iw.report(binding, example=torch.zeros(1, 4, 2, 2)).between
    assert [(v.name, v.verdict) for v in found if v.kind == "relu()"] == [("1", "breaks")]


def test_propagation_hands_a_type_on():
    class Doubled(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, x], -1)

    net = nn.Sequential(nn.Linear(8, 8), Doubled(), nn.ReLU(), nn.Linear(16, 8))
    types = {"0": (R, R), "3": (R + R, R)}
    rule = iw.LayerRule(propagate=lambda module, rep: rep + rep)
    assert iw.report(iw.bind(net, types)).between == ()
    (found,) = iw.report(iw.bind(net, types, rules={Doubled: rule})).between
    assert (found.name, found.acts_on, found.verdict) == ("2", str(R + R), "keeps")
    (found,) = iw.report(iw.bind(net, types, rules={Doubled: rule}), example=torch.zeros(1, 8)).between
    assert (found.acts_on, found.verdict) == (str(R + R), "keeps")


def test_a_layer_that_carries_its_types_types_itself():
    rep = SO3.irreps("4x0 + 2x1")
    net = nn.Sequential(nn.Linear(10, 10), iw.nn.FieldNorm(rep), nn.Linear(10, 10))
    binding = iw.bind(net, {"0": (rep, rep), "2": (rep, rep)})
    assert binding.unaccounted == {}
    assert binding["1.weight"].projector.rank == 6
    assert float(binding.residuals()["1.weight"].residual) == 0
    by_hand = iw.bind(net, {"0": (rep, rep), "1.weight": 6 * SO3.trivial(), "2": (rep, rep)})
    assert {entry.name for entry in by_hand} == {entry.name for entry in binding}
    assert [entry.name for entry in iw.bind(net)] == ["1.weight"]
    restricted = rep.restrict(iw.SO(2), axis="z")
    other = iw.bind(net, {"0": (restricted, restricted), "2": (restricted, restricted)})
    assert list(other.unaccounted) == ["1.weight"]  # its type is of another group
    with pytest.raises(iw.errors.ArgumentError, match="at least one name"):
        iw.bind(nn.Linear(2, 2))


def test_a_subclass_with_types_of_its_own_is_bound_without_being_named():
    class TypedLinear(nn.Linear):
        def __init__(self, rep_in: iw.Representation, rep_out: iw.Representation) -> None:
            super().__init__(rep_in.dim, rep_out.dim)
            self.rep_in, self.rep_out = rep_in, rep_out

    net = nn.Sequential(TypedLinear(R, R), nn.ReLU(), TypedLinear(R, C4.trivial()))
    binding = iw.bind(net)
    assert [(entry.name, entry.projector.rank) for entry in binding] == [
        ("0.weight", 16),
        ("0.bias", 2),
        ("2.weight", 2),
        ("2.bias", 1),
    ]
    assert [(v.name, v.verdict) for v in iw.report(binding).between] == [("1", "keeps")]
    tied = nn.Sequential(TypedLinear(R, R), TypedLinear(R, R))
    tied[1].weight = tied[0].weight
    assert len(iw.bind(tied, {"0": (R, R)})) == 3
    wrong = TypedLinear(R, R)
    wrong.rep_out = C4.regular()
    with pytest.raises(iw.errors.ShapeError, match=r"the type that '0' carries.*rep_out of dimension 8"):
        iw.bind(nn.Sequential(wrong))


def test_a_layer_that_carries_types_and_has_no_rule_is_listed():
    class Bent(nn.Module):
        def __init__(self, rep: iw.Representation) -> None:
            super().__init__()
            self.rep_in = self.rep_out = rep

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.abs()

    net = nn.Sequential(nn.Linear(8, 8), Bent(R), nn.ReLU(), nn.Linear(8, 8))
    result = iw.report(iw.bind(net, {"0": (R, R), "3": (R, R)}))
    assert [(v.name, v.behind) for v in result.between] == [("2", "1")]
    assert [(one.name, "carries its own types" in one.note) for one in result.unanalysed] == [("1", True)]


def test_rules_are_checked_and_copied_with_the_binding():
    rule = iw.LayerRule(parameters=parameters)
    model = nn.Sequential(Thinning(8, 8))
    binding = iw.bind(model, {"0": (R, R)}, rules={Thinning: rule})
    _, twin = copy.deepcopy((model, binding))
    assert twin.rules[Thinning].parameters is parameters
    for rules in ([rule], {"Thinning": rule}, {Thinning: parameters}):
        with pytest.raises(iw.errors.ArgumentError, match="rules"):
            iw.bind(model, {"0": (R, R)}, rules=rules)
        with pytest.raises(iw.errors.ArgumentError, match="rules"):
            iw.geometry(model, torch.zeros(1, 8, 4, 4), group=C4, rules=rules)
    with pytest.raises(iw.errors.ArgumentError, match="parameters: expected a function"):
        iw.LayerRule(parameters=3)
    with pytest.raises(iw.errors.ArgumentError, match=r"same: expected True or False"):
        iw.LayerRule(same="yes")
    with pytest.raises(iw.errors.ArgumentError, match=r"a class of torch\.nn\.Module"):
        iw.layer_rule(rule)(parameters)


def test_every_rule_says_something_and_no_class_has_two():
    assert all(rule != NOTHING for rule in BUILT_IN.values())
    tables = (
        ATTENTION,
        CONVOLUTIONS,
        EMBEDDINGS,
        INACTIVE,
        LINEAR,
        NORMS,
        OWN,
        POINTWISE,
        POOLINGS,
        RESIZING,
        SOFTMAXES,
    )
    assert len(BUILT_IN) == sum(len(table) for table in tables)


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.g * x


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (lambda module, layer_type: None, "the rule of Scaled, parameters: expected a tuple of slots.*got a NoneType"),
        (lambda module, layer_type: (iw.projector(R),), "the rule of Scaled, parameters: .*got a BlocksProjector"),
        (
            lambda module, layer_type: (layer_type.diagonal("h", R, (8,)),),
            "the rule of Scaled, parameters: expected names of its parameters and buffers; got 'h'",
        ),
        (lambda module: (), r"rules\[Scaled\].parameters: expected a function of \(module, layer_type\)"),
    ],
)
def test_slots_that_are_none_are_refused(parameters, message):
    with pytest.raises(iw.errors.ArgumentError, match=message):
        iw.bind(Scaled(), {"": R}, rules={Scaled: iw.LayerRule(parameters, same=True)})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"fits": lambda module, rep, over: True}, "the rule of Scaled, fits: expected a Finding, or None; got a bool"),
        ({"fits": lambda module, rep, over: iw.layers.Finding("keep", "")}, "verdict: expected one of 'keeps'"),
        ({"propagate": lambda module, rep: "2xregular"}, "the rule of Scaled, propagate: expected a rep.*got a str"),
        ({"propagate": lambda module, rep: 8 * C2.trivial()}, "propagate: expected a representation of C4.*one of C2"),
        ({"fits": lambda module, rep: None}, r"rules\[Scaled\].fits: expected a function of \(module, rep, over\)"),
    ],
)
@pytest.mark.parametrize("example", [False, True])
def test_answers_about_channels_that_are_none_are_refused(rule, message, example):
    net = nn.Sequential(nn.Linear(8, 8), Scaled(), nn.Linear(8, 8))

    def reported():
        binding = iw.bind(net, {"0": (R, R), "2": (R, R)}, rules={Scaled: iw.LayerRule(**rule)})
        iw.report(binding, example=torch.zeros(1, 8) if example else None)

    with pytest.raises(iw.errors.IntertwineError, match=message):
        reported()


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (lambda module, a, b: None, "the rule of Thinning, grid: expected a GridMap.*got a NoneType"),
        (lambda module, a, b: iw.layers.convolution_windows(a, b, kernel=1, stride=0), "stride: expected an integer"),
        (lambda module, a, b: iw.layers.convolution_windows(a, b, kernel="1"), "kernel: expected an integer"),
        (lambda module, a: None, r"rules\[Thinning\].grid: expected a function of \(module, sides_in, sides_out\)"),
    ],
)
def test_answers_about_pixels_that_are_none_are_refused(grid, message):
    with pytest.raises(iw.errors.ArgumentError, match=message):
        iw.geometry(Thinning(1, 1), torch.zeros(1, 1, 9, 9), group=C4, rules={Thinning: iw.LayerRule(grid=grid)})


def test_a_map_of_other_sides_is_unknown():
    def grid(module, a, b):
        return iw.layers.convolution_windows(a[:1], b[:1], kernel=1, stride=2)

    found = iw.geometry(Thinning(1, 1), torch.zeros(1, 1, 9, 9), group=C4, rules={Thinning: iw.LayerRule(grid=grid)})
    assert [layer.verdict for layer in found.layers] == ["unknown"]
