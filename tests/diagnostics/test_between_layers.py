"""Verdicts on what lies between typed layers, against what it does to the features that reach it."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from intertwine.diagnostics.reports.between_layers import Carried, module_finding
from intertwine.layers.activations import POINTWISE
from tests.binding.acting import feature_error, image_error, randn
from tests.binding.cases import fill
from tests.binding.test_norm_statistics import NORMS, REPS, error

# Biases of vectors have no equivariant value but zero.
pytestmark = pytest.mark.filterwarnings("ignore::intertwine.RankZeroWarning")
C2, C4, D4, O3, SO3 = iw.Cyclic(2), iw.Cyclic(4), iw.Dihedral(4), iw.O(3), iw.SO(3)


def bound(model: nn.Module, types: dict[str, object]) -> iw.Binding:
    return iw.bind(fill(model.double()), types).project_()


def verdicts(binding: iw.Binding, example: object = None) -> list[tuple[str, str, str]]:
    return [(v.name, v.kind, v.verdict) for v in iw.report(binding, example=example, split=False).between]


@pytest.mark.parametrize("rep", REPS.values(), ids=REPS.keys())
@pytest.mark.parametrize("kind", POINTWISE, ids=lambda kind: kind.__name__)
def test_pointwise_layers_keep_iff_they_commute(kind: type[nn.Module], rep: iw.Representation) -> None:
    module = (kind(0.1, 20.0) if kind is nn.Threshold else kind()).double().eval()
    found = module_finding(module, Carried(rep, None, ""), typed=False, rules={})
    assert (found.verdict == "keeps") == (feature_error(module, rep, rep, 6) < 1e-10)
    assert bool(found.reason) == bool(found.advice) == (found.verdict != "keeps")


@pytest.mark.parametrize("rep", REPS.values(), ids=REPS.keys())
@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS.keys())
def test_norm_layers_break_iff_they_do(norm: Callable[[], nn.Module], rep: iw.Representation) -> None:
    module = norm().double().eval()
    found = module_finding(module, Carried(rep, None, ""), typed=False, rules={})
    assert (found.verdict == "breaks") == (error(module, rep) > 1e-10)
    if found.verdict == "depends" and "as well" in found.reason:
        assert next(module.parameters(), None) is not None or next(module.buffers(), None) is not None


def test_relu_on_vectors_is_named_with_what_to_use() -> None:
    rep = O3.irreps("4x1o")
    net = nn.Sequential(nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 12))
    text = str(iw.report(bound(net, {"0": (rep, rep), "2": (rep, rep)})))
    wrapped = " ".join(text.split())
    assert "1: ReLU behind '0' acts on 4x1o: breaks. the group mixes the components of 1o. Use iw.nn.Gate" in wrapped
    assert "not analysed" not in text


@pytest.mark.parametrize("example", [False, True])
def test_keeps_and_breaks_in_a_sequence(example: bool) -> None:
    R, S = 2 * C4.regular(), 4 * C2.permutation([[1, 0]], signs=[[-1, -1]])
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(), nn.Sequential(nn.Linear(8, 8), nn.Tanh()))
    x = randn(3, 8) if example else None
    kept = bound(net, {"0": (R, R), "3.0": (R, R)})
    assert verdicts(kept, x) == [("1", "ReLU", "keeps"), ("3.1", "Tanh", "keeps")]
    signed = bound(net, {"0": (S, S), "3.0": (S, S)})
    assert verdicts(signed, x) == [("1", "ReLU", "breaks"), ("3.1", "Tanh", "keeps")]
    assert "odd function such as tanh" in iw.report(signed, example=x).between[0].advice


@pytest.mark.parametrize("example", [False, True])
def test_typing_more_tells_more(example: bool) -> None:
    rep = SO3.irreps("2x0 + 2x1")
    net = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.BatchNorm1d(8), nn.Linear(8, 8)).eval()
    x = randn(3, 8) if example else None
    little = bound(net, {"0": (rep, rep), "3": (rep, rep)})
    assert verdicts(little, x) == [("1", "LayerNorm", "breaks"), ("2", "BatchNorm1d", "depends")]
    more = bound(net, {"0": (rep, rep), "2": rep, "3": (rep, rep)})
    assert verdicts(more, x) == [("1", "LayerNorm", "breaks"), ("2", "BatchNorm1d", "depends")]
    assert "exact in eval mode" in iw.report(more, example=x).between[1].reason
    R = 2 * C4.regular()
    regular = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 8))
    half = bound(regular, {"0": (R, R), "2": (R, R)})
    assert "its weight, bias must be equivariant as well" in iw.report(half, example=x).between[0].reason
    whole = bound(regular, {"0": (R, R), "1": R, "2": (R, R)})
    assert verdicts(whole, x) == [("1", "LayerNorm", "keeps")]


def test_two_types_for_the_same_features() -> None:
    R, plain = C4.regular(), 4 * C4.trivial()
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    binding = bound(net, {"0": (R, R), "1": (plain, plain), "2": (plain, R)})
    (found,) = iw.report(binding).between
    assert (found.name, found.verdict, found.acts_on) == ("1", "breaks", "regular")
    assert "its own type takes 4x0" in found.reason
    same = C4.permutation([[1, 2, 3, 0]])
    assert verdicts(bound(net, {"0": (R, R), "1": (same, plain), "2": (plain, R)})) == []


class Functions(nn.Module):
    """A residual network that calls functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1), nn.Linear(8, 8)
        self.block = nn.Sequential(nn.ReLU(inplace=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = F.silu(x) + 2 * self.second(x)
        x = F.max_pool2d(self.block(x), 3)
        x = F.group_norm(F.pad(x, (1, 1, 1, 1)), 4)
        x = x.permute(0, 2, 3, 1).tanh().flatten(1, 2).mean(1)
        x = torch.cat([x, x], -1)[..., 8:]
        return self.last(x)


def test_functions_in_a_run() -> None:
    model = Functions()
    x = randn(2, 8, 9, 9)
    for rep, expected in (
        (2 * C4.regular(), ["keeps", "keeps", "keeps", "breaks", "keeps", "unknown"]),  # some of the features
        (4 * C4.irrep(1), ["breaks", "breaks", "breaks", "breaks", "keeps", "unknown"]),
        (8 * C4.irrep(0), ["keeps"] * 5),
    ):
        binding = bound(model, {"first": (rep, rep), "second": (rep, rep), "last": (rep, rep)})
        model.train()
        found = iw.report(binding, example=x, split=False).between
        assert model.training
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
        assert [v.verdict for v in found] == expected
        assert [v.name for v in found] == ["(the model)", "block.0", *["(the model)"] * (len(found) - 2)]
        kinds = ["silu()", "ReLU", "max_pool2d()", "group_norm()", "tanh()", "__getitem__()"]
        assert [v.kind for v in found] == kinds[: len(expected)]
        assert iw.report(binding, split=False).between == ()
        assert [v.name for v in iw.report(binding, split=False).unanalysed] == ["block.0"]


def test_the_verdicts_of_a_run_say_whether_the_model_commutes() -> None:
    class Net(nn.Module):
        def __init__(self, function: Callable[[torch.Tensor], torch.Tensor], width: int) -> None:
            super().__init__()
            self.conv, self.function = nn.Conv2d(width, width, 3, padding=1), function
            self.last = nn.Conv2d(width, width, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.function(self.conv(x)))

    functions: list[Callable[[torch.Tensor], torch.Tensor]] = [
        F.relu,
        torch.tanh,
        lambda x: x.square(),
        lambda x: x + 1,
        lambda x: F.softmax(x, 1),
        lambda x: F.leaky_relu(x, 0.5, inplace=True),
        lambda x: x.clamp(-0.3, 0.3),
        lambda x: x.clamp(-0.3, 0.5),
        F.instance_norm,
        lambda x: F.group_norm(x, 2),
        lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (8,)).movedim(-1, 1),
        lambda x: F.rms_norm(x.movedim(1, -1), (8,)).movedim(-1, 1),
        lambda x: F.max_pool2d(x, 3, 1, 1),
    ]
    for rep in (D4.regular(), D4.irreps("8x0-"), D4.irreps("4x1"), D4.irreps("8x0+")):
        for function in functions:
            model = Net(function, 8)
            binding = bound(model, {"conv": (rep, rep), "last": (rep, rep)})
            (found,) = iw.report(binding, example=randn(1, 8, 5, 5), split=False).between
            assert (found.verdict == "keeps") == (image_error(model, rep, rep, (5, 5)) < 1e-10), (rep, found)


def test_what_comes_from_elsewhere_has_no_type() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.typed, self.free = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.typed(x)
            y += self.free(x)
            z = self.typed(x)
            z[..., 0] = 1
            w = self.typed(x) * self.free(x)
            return torch.relu(y) + torch.relu(z) + torch.relu(w) + torch.relu(self.typed(x).sum(-1, keepdim=True))

    R = 2 * C4.regular()
    assert verdicts(bound(Mixed(), {"typed": (R, R)}), randn(3, 8)) == []


def test_vectors_on_another_axis_and_layers_of_ours() -> None:
    channels, vector = 8 * SO3.trivial(), SO3.irrep(1)
    typed = iw.Typed(channels, channels, over=vector)
    net = nn.Sequential(nn.Linear(8, 8, bias=False), nn.ReLU(), nn.Linear(8, 8, bias=False))
    binding = iw.bind(net, {"0": typed, "2": typed})
    for example in (None, torch.zeros(2, 3, 8)):
        (found,) = iw.report(binding, example=example).between
        assert (found.verdict, found.acts_on) == ("breaks", "8x0 over 1")
    rep = SO3.irreps("2x0 + 2x1")
    gate = iw.nn.Gate(rep)
    net = nn.Sequential(nn.Linear(8, 10), gate, nn.Sigmoid(), nn.Linear(8, 8))
    binding = iw.bind(net, {"0": (rep, gate.rep_in), "3": (rep, rep)})
    for example in (None, torch.zeros(2, 8)):
        (found,) = iw.report(binding, example=example).between
        assert (found.name, found.behind, found.verdict) == ("2", "1", "breaks")


def test_a_report_with_verdicts_survives_json_and_html() -> None:
    pytest.importorskip("jinja2")
    rep = 4 * O3.irrep("1o")
    net = nn.Sequential(nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 12))
    result = iw.report(bound(net, {"0": (rep, rep), "2.weight": (rep, rep)}))
    assert result.to_dict()["between"][0]["verdict"] == "breaks"
    assert "Between typed layers" in result.to_html()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.flip(-1),
        lambda x: x * torch.arange(8.0),
        lambda x: torch.where(x > 0, x, 0 * x),
        lambda x: x.cumsum(-1),
        lambda x: x.new_ones(8, 8).triu().matmul(x.mT).mT,
        lambda x: torch.relu(x[:, torch.tensor([1, 0, 2, 3, 4, 5, 6, 7])]),
    ],
)
def test_a_function_without_a_rule_between_typed_layers_is_named(function: Callable[..., torch.Tensor]) -> None:
    class Between(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(function(self.first(x)))

    R = 2 * C4.regular()
    binding = bound(Between(), {"first": (R, R), "second": (R, R)})
    found = iw.report(binding, example=randn(3, 8)).between
    assert [(layer.name, layer.behind, layer.verdict) for layer in found] == [("(the model)", "first", "unknown")]
    assert "'second' takes what comes of it" in found[0].reason


def test_a_largest_value_is_not_replaced_by_an_activation() -> None:
    vectors = 4 * C4.irrep(1)
    net = nn.Sequential(nn.Conv2d(8, 8, 3), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3))
    binding = bound(net, {"0": (vectors, vectors), "2": (vectors, vectors)})
    for example in (None, randn(1, 8, 12, 12)):
        (found,) = iw.report(binding, example=example).between
        assert found.verdict == "breaks"
        assert "averages" in found.advice
        assert "tanh" not in found.advice


@pytest.mark.parametrize("example", [False, True])
@pytest.mark.parametrize(
    ("subgroup", "axis"), [(iw.SO(2), "x"), (C4, "y"), (iw.Mirror("x"), "z"), (iw.Octahedral(), None)], ids=str
)
def test_a_layer_that_carries_the_type_of_a_larger_group_keeps_the_restricted_one(
    subgroup: iw.Group, axis: str | None, example: bool
) -> None:
    large = O3 if isinstance(subgroup, iw.Mirror) else SO3
    rep = large.irreps("4x0e + 2x1o" if large == O3 else "4x0 + 2x1")
    h = rep.restrict(subgroup, axis=axis)
    net = nn.Sequential(nn.Linear(10, 10), iw.nn.NormActivation(rep), iw.nn.FieldNorm(rep), nn.Linear(10, 10))
    types, x = {"0": (h, h), "3": (h, h)}, randn(3, 10)
    assert verdicts(bound(net, types), x if example else None) == []
    assert float(iw.equivariance_error(net, h, h, x)) < 1e-10


def test_a_layer_that_carries_the_type_of_another_group_is_unknown() -> None:
    rep, other = SO3.irreps("4x0 + 2x1"), (2 * SO3.irrep(1) + 4 * SO3.trivial()).restrict(C4, axis="z")
    net = nn.Sequential(nn.Linear(10, 10), iw.nn.NormActivation(rep), nn.Linear(10, 10))
    (found,) = iw.report(bound(net, {"0": (other, other), "2": (other, other)})).between
    assert (found.name, found.verdict) == ("1", "unknown")
    assert "takes 4x0 + 2x1, of SO(3), whose restriction to C4 is another" in found.reason
    apart = 10 * iw.Symmetric(5).trivial()
    (found,) = iw.report(bound(net, {"0": (apart, apart), "2": (apart, apart)})).between
    assert "of which S5 is no subgroup" in found.reason
