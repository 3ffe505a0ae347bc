import copy
import dataclasses
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import intertwine as iw
from intertwine.binding.names import nearest
from tests.binding.cases import c4_mlp, fill, so3_linear

C4 = iw.Cyclic(4)
R = C4.regular()


class Branches(nn.Module):
    """A module with every kind of tensor: linear, shared, tied, bare parameter, buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.again = self.first
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.first.weight
        self.token = nn.Parameter(torch.randn(3, 4))
        self.conv = nn.Conv2d(1, 1, 3)
        self.activation = nn.PReLU(4)
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))


def test_linear_weight_and_bias():
    model, binding = c4_mlp()
    assert [entry.name for entry in binding] == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]
    assert [entry.kind for entry in binding] == ["weight", "bias"] * 3
    assert binding["0.weight"].module == "0"
    assert binding["0.weight"].projector.shape == (12, 9)
    assert binding["0.weight"].tensor(model) is model[0].weight
    assert binding.group == C4
    assert len(binding) == 6
    assert binding.unaccounted == {}
    assert "0.weight (12, 9)" in repr(binding)


def test_pair_and_axes_agree():
    layer = nn.Linear(4, 8, bias=False)
    by_pair = iw.bind(layer, {"": (R, 2 * R)})["weight"].projector
    by_axes = iw.bind(layer, {"weight": (2 * R, R.dual())})["weight"].projector
    assert torch.equal(by_pair.project(layer.weight), by_axes.project(layer.weight))


def test_everything_else_by_name():
    model = Branches()
    binding = iw.bind(model, {"token": (None, R), "mean": R, "first": [R, R]})
    assert {entry.name: entry.kind for entry in binding} == {
        "token": "parameter",
        "mean": "buffer",
        "first.weight": "weight",
        "first.bias": "bias",
    }
    assert binding.unaccounted == {"conv.weight": (1, 1, 3, 3), "conv.bias": (1,), "activation.weight": (4,)}
    assert binding.residuals()["token"].rank == 3  # one mean for each of the three free rows
    binding.project_()
    assert torch.allclose(model.token, model.token.mean(1, keepdim=True).expand(3, 4))


def test_tied_tensors_are_one():
    binding = iw.bind(Branches(), {"first": (R, R), "tied": (R, R), "again": (R, R)})
    assert [entry.name for entry in binding] == ["first.weight", "first.bias"]
    with pytest.raises(
        iw.errors.ArgumentError, match=r"types\['tied'\]: expected the type of 'first.weight', to which"
    ):
        iw.bind(Branches(), {"first": (R, R), "tied": (R, 4 * C4.trivial())})


def test_other_libraries_representations():
    o3 = pytest.importorskip("e3nn.o3")
    irreps = o3.Irreps("2x0e + 1x1o")
    model = nn.Sequential(nn.Linear(5, 5))
    binding = iw.bind(model, {"0": (irreps, irreps)})
    assert str(binding.group) == "O(3)"
    assert binding["0.weight"].projector.rank == 5
    assert iw.bind(model, {"0.bias": irreps})["0.bias"].projector.rank == 2
    with pytest.raises(iw.errors.ArgumentError, match=r"a pair .* for a module; got Irreps"):
        iw.bind(model, {"0": irreps})


@pytest.mark.parametrize(
    ("types", "error", "match"),
    [
        ({"frist": (R, R)}, iw.errors.UnknownNameError, r"buffers: 'first', .*; got 'frist'"),
        ({"first.wieght": (R, R)}, iw.errors.UnknownNameError, r"'first.weight'"),
        ({3: R}, iw.errors.UnknownNameError, "got 3"),
        ({}, iw.errors.ArgumentError, "at least one name"),
        ([("first", (R, R))], iw.errors.ArgumentError, "types: expected a mapping"),
        (
            {"first": R},
            iw.errors.ArgumentError,
            r"types\['first'\]: expected a pair .* got one representation, regular",
        ),
        ({"first": (R, R, R)}, iw.errors.ArgumentError, "got 3 of them"),
        ({"first": (R, 3)}, iw.errors.ArgumentError, r"types\['first'\]\[1\]"),
        ({"first": (R, "regular")}, iw.errors.ArgumentError, r"types\['first'\]\[1\]"),
        (
            {"first": (2 * R, R)},
            iw.errors.ShapeError,
            r"rep_in of dimension 4, as in_features=4; got dimension 8, from 2xregular",
        ),
        ({"first": (R, 2 * R)}, iw.errors.ShapeError, r"rep_out of dimension 4, as out_features=4; got dimension 8"),
        (
            {"activation": (R, R)},
            iw.errors.ArgumentError,
            r"module of type Linear, Conv1d, .*; got a PReLU. Type its parameters by name",
        ),
        ({"": (R, R)}, iw.errors.ArgumentError, r"got a .*Branches. Type the modules inside it: 'first'"),
        ({"token": R}, iw.errors.ShapeError, r"per axis of token, shape \(3, 4\); got dimensions \(4\), from regular"),
        ({"token": (R, R)}, iw.errors.ShapeError, r"got dimensions \(4, 4\)"),
        ({"token": (None, None)}, iw.errors.ArgumentError, "a representation on at least one axis; got 2 axes without"),
        ({"count": ()}, iw.errors.ArgumentError, "at least one axis"),
        (
            {"first": (R, R), "first.weight": (R, R)},
            iw.errors.ArgumentError,
            r"'first.weight' once more, after types\['first'\]",
        ),
        (
            {"first": (R, iw.Cyclic(2).regular())},
            iw.errors.GroupMismatchError,
            "rep_out of C4, as rep_in is; got one of C2",
        ),
        (
            {"first": (R, R), "mean": 2 * iw.Cyclic(2).regular()},
            iw.errors.GroupMismatchError,
            r"types\['mean'\]: expected representations of C4, as types\['first'\] has; got one of C2",
        ),
    ],
)
def test_refused(types, error, match):
    with pytest.raises(error, match=match):
        iw.bind(Branches(), types)


def test_refused_models_and_dtypes():
    with pytest.raises(iw.errors.ArgumentError, match=r"model: expected a torch.nn.Module"):
        iw.bind([nn.Linear(4, 4)], {"0": (R, R)})
    with pytest.raises(iw.errors.ArgumentError, match="weight to have its shape; got a lazy parameter"):
        iw.bind(nn.LazyLinear(4), {"": (R, R)})
    with pytest.raises(iw.errors.ArgumentError, match="got a lazy parameter"):
        iw.bind(nn.LazyLinear(4), {"weight": (R, R)})
    model = nn.Module()
    model.register_buffer("index", torch.zeros(4, dtype=torch.long))
    with pytest.raises(iw.errors.DtypeError, match=r"index to hold floating-point .* got torch.int64"):
        iw.bind(model, {"index": R})


def test_unaccounted_lists_lazy_parameters():
    model = nn.ModuleList([nn.LazyLinear(4, bias=False), nn.Linear(4, 4)])
    assert iw.bind(model, {"1": (R, R)}).unaccounted == {"0.weight": ()}


def test_weights_computed_by_hooks_are_refused():
    layer = nn.Linear(4, 4)
    prune.random_unstructured(layer, "weight", amount=0.5)
    with pytest.raises(iw.errors.ArgumentError, match="a tensor that a hook computes"):
        iw.bind(layer, {"": (R, R)})


def test_parametrised_weight():
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 4))
    binding = iw.bind(model, {"0": (R, R), "1": (R, R)})
    assert binding.unaccounted == {}
    binding.penalty().backward()
    assert model[0].parametrizations.weight.original0.grad.abs().sum() > 0
    # By its own name, and after removal of the parametrisation.
    assert iw.bind(model, {"0.weight": (R, R)})["0.weight"].is_computed(model)
    parametrize.remove_parametrizations(model[0], "weight")
    binding.project_()
    assert binding.penalty() < 1e-12


def test_rank_zero_names_the_parameter():
    G = iw.SO(3)
    layer = nn.Linear(3, 3)
    with pytest.warns(iw.RankZeroWarning, match=r"bias: SO\(3\) leaves no value of it fixed but zero \(1\)") as caught:
        iw.bind(layer, {"": (G.irreps("1"), G.irreps("1"))})
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        binding = iw.bind(layer, {"weight": (G.irreps("1"), G.irreps("1"))})
    assert binding["weight"].projector.rank == 1


def test_follows_the_model():
    model, binding = c4_mlp(torch.float32)
    keys = set(model.state_dict())
    model.double()
    assert binding.penalty().dtype == torch.float64
    state = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    model.load_state_dict(state)
    assert binding.penalty() == 0
    model.half()
    assert binding.penalty().dtype == torch.float32
    assert set(model.state_dict()) == keys
    model[0] = nn.ReLU()
    with pytest.raises(iw.errors.UnknownNameError, match=r"a tensor '0.weight', as when it was bound; got none"):
        binding.penalty()


def test_copies_go_with_their_model():
    model, binding = c4_mlp()
    model_copy, binding_copy = copy.deepcopy((model, binding))
    assert binding_copy.model is model_copy
    assert binding_copy.entries[0] is binding.entries[0]
    binding_copy.project_()
    assert binding_copy.penalty() < 1e-20 < binding.penalty()
    other = fill(copy.deepcopy(model), seed=5)
    moved = dataclasses.replace(binding, model=other)
    assert moved.penalty() != binding.penalty()
    again = pickle.loads(pickle.dumps(binding))
    assert torch.equal(again.penalty(), binding.penalty())


def test_equal_types_share_a_projector():
    _, binding = c4_mlp()
    assert binding["0.bias"].projector is binding["2.bias"].projector


def test_unknown_entry():
    _, binding = c4_mlp()
    with pytest.raises(iw.errors.UnknownNameError, match=r"a typed tensor: '0.weight', .* got '0.weigth'"):
        binding["0.weigth"]


def test_nearest_puts_close_names_first():
    assert nearest("2.bais", ["0.weight", "2.bias"]) == "'2.bias', '0.weight'"


def test_residuals():
    layer, binding = so3_linear()
    found = binding.residuals()["weight"]
    P, W = binding["weight"].projector, layer.weight.detach()
    assert (found.name, found.kind, found.shape, found.rank) == ("weight", "weight", (13, 9), 3 * 2 + 2 * 2)
    assert found.norm == pytest.approx(float(W.norm()), rel=1e-12)
    assert found.squared_residual == pytest.approx(float((W - P.project(W)).square().sum()), rel=1e-12)
    assert found.relative_residual == pytest.approx(float(P.relative_residual(W)), rel=1e-12)
    assert found.chance == P.chance
    nn.init.zeros_(layer.weight)
    assert binding.residuals()["weight"].relative_residual == 0.0
    nn.init.constant_(layer.bias, float("nan"))
    with pytest.raises(iw.errors.NonFiniteError, match="bias: expected finite numbers; got NaN or infinity"):
        binding.residuals()
