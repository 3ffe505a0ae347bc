"""A certificate is never below what is sampled, 0 where residuals are, and void by name where it cannot hold."""

import copy
import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from intertwine.errors import ArgumentError

C4, D4, S3 = iw.Cyclic(4), iw.Dihedral(4), iw.Symmetric(3)
ONE = iw.on_grid(D4.trivial())


class Residual(nn.Module):
    def __init__(self, pool=F.avg_pool2d):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(16), nn.BatchNorm2d(16)])
        self.head, self.pool = nn.Linear(16, 3), pool
        for norm in self.norms:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)

    def forward(self, x):
        x = torch.relu(self.norms[0](self.first(x)))
        x = x + F.silu(self.norms[1](self.second(x)))
        return self.head(self.pool(x, 3).mean((2, 3)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.places = nn.LayerNorm(16, eps=0.1), nn.Parameter(torch.randn(5, 16))
        self.q, self.k, self.v, self.o = (nn.Linear(16, 16) for _ in range(4))
        self.scale = nn.Parameter(torch.randn(16))

    def forward(self, x):
        h = self.norm(x + self.places)
        q, k, v = (layer(h).unflatten(-1, (2, 8)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.scale * self.o(h)


class Gated(nn.Module):
    """Products of features, weights as they are, weights turned about, a number and a constant."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(8, 8)), nn.Linear(8, 8)
        self.register_buffer("number", torch.tensor(0.5))

    def forward(self, x):
        h = torch.tanh(x @ self.a.T) * torch.sigmoid(self.b(x))
        return torch.cat([h, 2 * x], -1)[..., :8] - x / 3 + self.number * x


def networks():
    V, W = D4.regular(), 4 * C4.regular()
    P = S3.standard() if hasattr(S3, "standard") else S3.regular()
    return {
        "perceptron": (
            lambda: nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 8)),
            *(V, V, torch.randn(1, 8)),
        ),
        "deep": (
            lambda: nn.Sequential(*itertools.chain(*([nn.Linear(8, 8), nn.Tanh()] for _ in range(5)))),
            *(V, V, torch.randn(1, 8)),
        ),
        "permutations": (
            lambda: nn.Sequential(nn.Linear(P.dim, 18), nn.LeakyReLU(0.2), nn.Linear(18, P.dim)),
            *(P, P, torch.randn(1, P.dim)),
        ),
        "residual": (Residual, ONE, 3 * D4.trivial(), torch.randn(1, 1, 9, 9)),
        "largest": (lambda: Residual(F.max_pool2d), ONE, 3 * D4.trivial(), torch.randn(1, 1, 9, 9)),
        "attention": (Attention, W, W, torch.randn(1, 5, 16)),
        "gated": (Gated, V, V, torch.randn(1, 8)),
        "vectors": (
            lambda: nn.Sequential(nn.Linear(9, 12), nn.Linear(12, 3)),
            *(3 * iw.SO(3).irrep(1), iw.SO(3).irrep(1), torch.randn(1, 9)),
        ),
    }


def made(name, seed=0):
    torch.manual_seed(seed)
    make, rep_in, rep_out, example = networks()[name]
    model, example = make().double().eval(), example.double()
    binding = iw.bind(model, rep_in=rep_in, rep_out=rep_out, example=example)
    assert not binding.breakers
    return model, binding, rep_in, rep_out, example


def unit(example, count, seed=0):
    x = torch.randn(count, *example.shape[1:], dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return x / x.flatten(1).norm(dim=1).view(-1, *[1] * (x.ndim - 1))


def acting(rep, g, x):
    return rep.act(g, x) if isinstance(rep, iw.Representation) else rep(g, x)


def sampled(model, binding, rep_in, rep_out, x):
    """The error of each sample, its largest over elements."""
    group = binding.group
    elements = group.elements() if group.is_finite else group.sample(12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = model(x)
        errors = [model(acting(rep_in, g, x)) - acting(rep_out, g, y) for g in elements]
    return torch.stack([error.flatten(1).norm(dim=1) for error in errors]).amax(0)


@pytest.mark.parametrize("name", list(networks()))
@pytest.mark.parametrize("radius", [0.1, 3.0])
def test_no_sampled_error_is_above_the_certificate(name, radius):
    model, binding, rep_in, rep_out, example = made(name, seed=int(radius))
    found = iw.certificate(model, binding, radius, example=example)
    assert not found.void
    x = radius * unit(example, 700)
    errors = sampled(model, binding, rep_in, rep_out, x)
    assert 0 < float(errors.max()) <= found.bound
    assert float(model(x).detach().flatten(1).norm(dim=1).max()) <= found.size
    assert sum(found.shares.values()) == pytest.approx(found.bound)
    assert found.radius == radius


@pytest.mark.parametrize("name", ["perceptron", "deep", "residual", "attention", "gated"])
def test_no_error_that_is_looked_for_is_above_it_either(name):
    model, binding, rep_in, rep_out, example = made(name)
    found = iw.certificate(model, binding, 1.0, example=example)
    x = unit(example, 32).requires_grad_()
    for g in binding.group.elements()[1:4]:
        for _ in range(30):  # ascent on the sphere
            error = (model(acting(rep_in, g, x)) - acting(rep_out, g, model(x))).flatten(1).norm(dim=1)
            (slope,) = torch.autograd.grad(error.sum(), x)
            moved = x.detach() + 0.2 * slope / slope.flatten(1).norm(dim=1).view(-1, *[1] * (x.ndim - 1))
            x = (moved / moved.flatten(1).norm(dim=1).view(-1, *[1] * (x.ndim - 1))).requires_grad_()
            assert float(error.detach().max()) <= found.bound


@pytest.mark.parametrize("name", list(networks()))
def test_on_given_inputs_it_is_sharper_and_holds_for_each(name):
    model, binding, rep_in, rep_out, example = made(name)
    x = unit(example, 6, seed=1)
    whole = iw.certificate(model, binding, 1.0, example=example)
    errors = sampled(model, binding, rep_in, rep_out, x)
    for one, error in zip(x.split(1), errors, strict=True):
        found = iw.certificate(model, binding, inputs=one)
        assert float(error) <= found.bound
        assert found.radius is None
    together = iw.certificate(model, binding, inputs=x)
    assert together.bound >= float(errors.max())
    assert together.bound < whole.bound


@pytest.mark.parametrize("name", list(networks()))
def test_without_residuals_it_is_zero_and_along_the_way_there_it_falls(name):
    model, binding, *_, example = made(name)
    bounds = []
    for _ in range(4):
        bounds.append(iw.certificate(model, binding, 1.0, example=example).bound)
        binding.blend_(0.9)
    assert bounds == sorted(bounds, reverse=True)
    binding.project_()
    found = iw.certificate(model, binding, 1.0, example=example)
    assert found.bound <= 1e-9 * max(1.0, found.size)
    assert not found.void


def test_one_weight_off_has_the_whole_share():
    model, binding, *_, example = made("perceptron")
    rest = binding.split()[1]["2.weight"]
    binding.project_()
    with torch.no_grad():
        model[2].weight += 0.1 * rest
    found = iw.certificate(model, binding, 1.0, example=example)
    assert found.shares["2.weight"] == pytest.approx(found.bound, rel=1e-6)


def test_a_linear_layer_has_twice_the_norm_of_its_residual():
    torch.manual_seed(0)
    V, layer = C4.regular(), nn.Linear(4, 4, bias=False).double()
    example = torch.randn(1, 4, dtype=torch.float64)
    binding = iw.bind(layer, rep_in=V, rep_out=V, example=example)
    R = binding["weight"].projector.residual(layer.weight.detach())
    found = iw.certificate(layer, binding, 2.0, example=example)
    assert found.bound == pytest.approx(2 * 2.0 * float(torch.linalg.matrix_norm(R, ord=2)), rel=1e-6)
    assert found.size == pytest.approx(2.0 * float(torch.linalg.matrix_norm(layer.weight.detach(), ord=2)), rel=1e-6)
    assert float(found) == found.bound
    assert found.relative == pytest.approx(found.bound / found.size)


class Sorted(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return self.layer(torch.exp(x))


class Branch(Sorted):
    def forward(self, x):
        return self.layer(x if float(x.detach().sum()) > 0 else 2 * x)


class Written(Sorted):
    def forward(self, x):
        h = self.layer(x)
        view = h.view(-1)
        h.add_(1.0)
        return view.view(h.shape).relu()


@pytest.mark.parametrize(("kind", "says"), [(Sorted, "exp"), (Branch, "decide"), (Written, "written")])
def test_what_has_no_bound_is_named(kind, says):
    torch.manual_seed(0)
    model, V = kind().double(), D4.regular()
    example = torch.rand(1, 8, dtype=torch.float64)
    binding = iw.bind(model, rep_in=V, rep_out=V, example=example)
    found = iw.certificate(model, binding, 1.0, example=example)
    assert found.bound == math.inf
    assert any(says in text for text in found.void), found.void
    assert "void" in str(found)


def test_breakers_and_untyped_weights_make_it_void():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 2, stride=2)).double()
    example = torch.randn(1, 1, 9, 9, dtype=torch.float64)
    binding = iw.bind(model, rep_in=ONE, rep_out=iw.on_grid(D4.regular()), example=example)
    assert binding.breakers
    found = iw.certificate(model, binding, 1.0, example=example)
    assert found.bound == math.inf
    assert any("breaks the symmetry" in text for text in found.void)


def test_the_model_is_left_as_it_was():
    model, binding, *_, example = made("residual")
    before = copy.deepcopy(model.state_dict())
    model.train()
    iw.certificate(model, binding, 1.0, example=example)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_wrong_arguments_are_refused_by_name():
    model, binding, *_, example = made("perceptron")
    other = made("perceptron")[0]
    by_hand = iw.bind(copy.deepcopy(model), {"0": (D4.regular(), 4 * D4.regular())})
    for arguments, options, says in (
        ((other, binding, 1.0), {"example": example}, "binding"),
        ((model, "binding", 1.0), {"example": example}, "binding"),
        ((by_hand.model, by_hand, 1.0), {"example": example}, "binding"),
        ((model, binding), {}, "radius"),
        ((model, binding, 1.0), {"inputs": example}, "radius|inputs|example"),
        ((model, binding, -1.0), {"example": example}, "radius"),
        ((model, binding, math.nan), {"example": example}, "radius"),
        ((model, binding, 1.0), {}, "example"),
        ((model, binding, 1.0), {"example": [1.0]}, "example"),
        ((model, binding), {"inputs": example[:0]}, "inputs"),
        ((model, binding), {"inputs": torch.zeros(2, 5, dtype=torch.float64)}, "inputs"),
    ):
        with pytest.raises(ArgumentError, match=says):
            iw.certificate(*arguments, **options)


@pytest.mark.parametrize("which", ["running_mean", "running_var", "weight", "bias"])
def test_each_statistic_of_a_norm_counts_by_itself(which):
    """All else is equivariant, so that nothing but this one can be what is sampled."""
    model, binding, rep_in, rep_out, example = made("residual")
    rest = binding.split()[1][f"norms.0.{which}"]
    binding.project_()
    with torch.no_grad():
        getattr(model.norms[0], which).add_(0.3 * rest)
    errors = sampled(model, binding, rep_in, rep_out, unit(example, 50))
    found = iw.certificate(model, binding, 1.0, example=example)
    assert 0 < float(errors.max()) <= found.bound
    assert list(found.shares) == [f"norms.0.{which}"]
