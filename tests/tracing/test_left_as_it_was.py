"""A model is left as it was, to the bit, whatever its runs do to it."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw

D4 = iw.Dihedral(4)
R = D4.regular()
X = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))


class Counting(nn.Module):
    """A number, a list and a dictionary that each run changes, and what it keeps of the first."""

    def __init__(self):
        super().__init__()
        self.a, self.calls, self.seen, self.kept, self.scale = nn.Linear(8, 8), 0, [], {"first": None}, None

    def forward(self, x):
        self.calls += 1
        self.seen.append(tuple(x.shape))
        if self.scale is None:
            self.scale = torch.ones(8)
            self.kept["mask"] = torch.ones(8)
            self.register_buffer("late", torch.zeros(3))
        self.late += 1
        return self.a(x) * self.scale * self.kept["mask"]


class Writing(nn.Module):
    """Writes to a large buffer, to a small one and to a parameter."""

    def __init__(self):
        super().__init__()
        self.a, self.gain = nn.Linear(8, 8), nn.Parameter(torch.ones(1))
        self.register_buffer("steps", torch.zeros(()))
        self.register_buffer("log", torch.zeros(20_000))

    def forward(self, x):
        self.steps.add_(1)
        self.log[int(self.steps)] = x.mean()
        self.gain.data.mul_(1.5)
        return self.gain * self.a(x)


class Renormed(nn.Module):
    """An embedding that shortens its rows where they are read."""

    def __init__(self):
        super().__init__()
        self.table, self.a = nn.Embedding(7, 8, max_norm=0.5), nn.Linear(8, 8)

    def forward(self, x):
        return self.a(x) + self.table(torch.arange(len(x)))


class AlwaysNormed(nn.Module):
    """Batch statistics in eval mode too, and running ones that it updates."""

    def __init__(self):
        super().__init__()
        self.a, self.norm = nn.Linear(8, 8), nn.BatchNorm1d(8)

    def forward(self, x):
        norm = self.norm
        return F.batch_norm(self.a(x), norm.running_mean, norm.running_var, norm.weight, norm.bias, training=True)


class Merging(nn.Module):
    """A low-rank update that eval mode merges into the weight, as loralib has it."""

    def __init__(self):
        super().__init__()
        self.weight, self.low, self.merged = nn.Parameter(torch.randn(8, 8)), nn.Parameter(torch.randn(8, 1)), False

    def train(self, mode=True):
        super().train(mode)
        if mode == self.merged:
            self.weight.data += (-1 if mode else 1) * (self.low @ self.low.T)
            self.merged = not mode
        return self

    def forward(self, x):
        weight = self.weight if self.merged else self.weight + self.low @ self.low.T
        return F.linear(x, weight)


class Drawing(nn.Module):
    """Random numbers of three generators."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, x):
        return self.a(x) + 0 * (torch.rand(()) + float(np.random.rand()) + random.random())  # noqa: NPY002


class Overwriting(nn.Module):
    """Writes into its input."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, x):
        x.mul_(2)
        return self.a(x.relu_())


MODELS = [Counting, Writing, Renormed, AlwaysNormed, Merging, Drawing, Overwriting]


def everything(model):
    """What may be seen of a model: values by bits, and attributes by identity."""
    values = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    gradients = {name: (id(p.grad), None if p.grad is None else p.grad.clone()) for name, p in model.named_parameters()}
    attributes = {
        name: {key: _held(value) for key, value in vars(module).items()} for name, module in model.named_modules()
    }
    generators = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    return values, gradients, attributes, generators


def _held(value):
    if isinstance(value, dict):
        return [(key, id(item)) for key, item in value.items()]
    return [id(item) for item in value] if isinstance(value, list) else value if value is None else id(value)


def assert_alike(before, after):
    values, gradients, attributes, generators = before
    assert attributes == after[2]
    for old, new in ((values, after[0]), (dict(enumerate(generators[:2])), dict(enumerate(after[3][:2])))):
        assert old.keys() == new.keys()
        assert all(np.array_equal(np.asarray(old[key]), np.asarray(new[key]), equal_nan=True) for key in old)
    assert generators[2] == after[3][2]
    for name, (identity, value) in gradients.items():
        assert after[1][name][0] == identity
        assert value is None or torch.equal(value, after[1][name][1])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("function", [iw.bind, iw.check])
def test_a_model_and_its_input_are_what_they_were(kind, training, function):
    torch.manual_seed(0)
    model = kind().train(training)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    called, x = [], X.clone()
    model.a.register_forward_hook(lambda *_: called.append(1)) if hasattr(model, "a") else None
    before = everything(model)
    versions = [parameter._version for parameter in model.parameters()]
    found = function(model, rep_in=R, rep_out=R, example=x)
    assert_alike(before, everything(model))
    assert kind is Renormed or versions == [parameter._version for parameter in model.parameters()]
    assert torch.equal(x, X)
    binding = found if isinstance(found, iw.Binding) else found.binding
    assert not any("two runs part" in note for note in binding.notes)
    assert called or not hasattr(model, "a")


def test_a_model_is_left_as_it_was_where_bind_fails():
    model = nn.Sequential(Counting(), nn.Linear(9, 8))
    before = everything(model)
    with pytest.raises(iw.errors.ArgumentError, match="example"):
        iw.bind(model, rep_in=R, rep_out=R, example=X)
    assert_alike(before, everything(model))


def test_a_graph_from_before_may_be_walked_back_after():
    """Weights are not written to, so that what a backward pass has kept is still valid."""
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    loss = model(X).square().sum()
    iw.check(model, rep_in=R, rep_out=R, example=X)
    loss.backward()
    wanted = torch.autograd.grad(model(X).square().sum(), list(model.parameters()))
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), wanted, strict=True))


def test_a_lazy_module_stays_as_its_first_run_made_it():
    model = nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(8))
    binding = iw.bind(model, rep_in=R, rep_out=R, example=X)
    assert binding["0.weight"].projector.rank == 8 * 16 // 8
    assert model[0].weight.shape == (16, 8)
