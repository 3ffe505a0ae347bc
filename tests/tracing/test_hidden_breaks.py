"""Breaks that one run does not show by its values or by its calls' own results, and crashes that they caused."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw

D4 = iw.Dihedral(4)
R = D4.regular()
RAMP = torch.linspace(0.5, 1.5, 16)
FIELDS, IMAGES = iw.on_grid(2 * R), iw.on_grid(R)


class Between(nn.Module):
    """A function of two fields, and a linear map."""

    def __init__(self, function):
        super().__init__()
        self.linear, self.function = nn.Linear(16, 16), function

    def forward(self, x):
        return self.linear(self.function(x))


class OfImages(nn.Module):
    """A function of features of images between two convolutions."""

    def __init__(self, function, conv=nn.Conv2d):
        super().__init__()
        self.a, self.b, self.function = conv(1, 24, 3, padding=1), conv(24, 1, 1), function

    def forward(self, x):
        return self.b(self.function(self.a(x)))


def checked(function):
    """The binding of a small network, and its error after the projection, its weights being of their size."""
    torch.manual_seed(0)
    model, x = Between(function), torch.randn(3, 16)
    binding = iw.bind(model, rep_in=2 * R, rep_out=2 * R, example=x)
    binding.project_()
    return binding, float(iw.equivariance_error(model, 2 * R, 2 * R, x))


def changed(write):
    """A function that writes into a part of a copy."""

    def function(h):
        y = h.clone()
        write(y, h)
        return y

    return function


def part_of_nothing(h):
    y = torch.zeros_like(h)
    y.narrow(1, 0, 12).copy_(h.narrow(1, 0, 12))
    return y


def both_parts(h):
    y = torch.zeros_like(h)
    y.narrow(1, 0, 8).copy_(h.narrow(1, 0, 8))
    torch.mul(h.narrow(1, 8, 8), 2, out=y[:, 8:])
    return y


@pytest.mark.parametrize(
    "function",
    [
        part_of_nothing,
        changed(lambda y, h: y.detach().narrow(1, 0, 1).mul_(2)),
        changed(lambda y, h: y.data.mul_(RAMP)),
        changed(lambda y, h: y.view(-1, 2, 8)[:, 1].add_(RAMP[:8])),
        changed(lambda y, h: torch.mul(h[:, :8], RAMP[:8], out=y[:, :8])),
    ],
)
def test_what_is_written_into_a_part_breaks_the_whole(function):
    binding, error = checked(function)
    assert error > 1e-3
    assert binding.breakers


@pytest.mark.parametrize(
    "function",
    [
        both_parts,
        changed(lambda y, h: y.detach().mul_(2)),
        changed(lambda y, h: y[:, 8:].relu_()),
        changed(lambda y, h: y.view(-1, 2, 8)[:, 1].add_(h[:, :8])),
        changed(lambda y, h: y.chunk(2, 1)[1].copy_(h[:, :8])),
    ],
)
def test_what_is_written_into_whole_fields_does_not(function):
    binding, error = checked(function)
    assert error < 1e-6
    assert not binding.breakers
    assert not binding.inference.blind


def test_a_part_along_pixels_is_judged_with_its_whole():
    x, rep = torch.randn(1, 1, 5, 5, 5), iw.on_grid(iw.Octahedral().trivial())
    model = OfImages(changed(lambda y, h: y.narrow(-1, 0, 1).add_(1)), nn.Conv3d)
    binding = iw.bind(model, rep_in=rep, rep_out=rep, example=x)
    assert "add_" in [one.function for one in binding.breakers]


@pytest.mark.parametrize(
    "function",
    [
        lambda h: torch.minimum(h, 100 + RAMP),
        lambda h: h + (h > 100 * RAMP),
        lambda h: h + 1e-4 * RAMP,
        lambda h: h + F.relu(h - 100) * RAMP,
        lambda h: h + torch.bucketize(h * (1 + 1e-3 * RAMP), torch.tensor([-100.0, 0.0, 100.0])),
    ],
)
def test_constants_that_show_at_other_values_only(function):
    binding, _ = checked(function)
    assert len(binding.breakers) == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda h: torch.minimum(h, torch.full((16,), 0.3)),
        lambda h: h * (h > 1e-9 * RAMP[:1]),
        lambda h: h + 1e-9 * RAMP,
        lambda h: h / torch.sqrt(torch.ones(16) + 1e-8),
    ],
)
def test_constants_that_every_element_keeps(function):
    binding, error = checked(function)
    assert error < 1e-6
    assert not binding.breakers


class Divided(nn.Module):
    """Divides by a running deviation that is one."""

    def __init__(self):
        super().__init__()
        self.register_buffer("deviation", torch.ones(4))

    def forward(self, x):
        return x / self.deviation


def test_a_factor_of_ones_keeps_fields_with_signs():
    signs = D4.trivial() + D4.irrep("0-") + D4.standard()
    binding = iw.bind(nn.Sequential(Divided()), rep_in=signs, rep_out=signs, example=torch.randn(4, 4))
    assert not binding.breakers


@pytest.mark.parametrize(
    "function",
    [
        lambda h: h + torch.randn_like(h),
        lambda h: h * torch.rand(()),
        lambda h: h * torch.bernoulli(h.sigmoid()),
        lambda h: torch.normal(h, 0.1),
        lambda h: F.dropout(h, 0.2, training=True),
        lambda h: h + torch.empty(16).normal_(),
    ],
)
def test_random_numbers_are_named_whatever_becomes_of_them(function):
    binding, error = checked(function)
    assert error > 1e-3
    assert any("draws random numbers" in one.reason for one in binding.breakers)


@pytest.mark.parametrize("draw", [random.random, lambda: float(np.random.mtrand.random())])
def test_random_numbers_of_numpy_and_python_too(draw):
    binding, error = checked(lambda h: h * draw())
    assert error > 1e-3
    assert "numpy or Python" in binding.inference.blind[0]


@pytest.mark.parametrize(
    "function",
    [
        lambda h: h * torch.rand((), generator=torch.Generator().manual_seed(0)),
        lambda h: (h, torch.rand(()), random.random())[0],
        lambda h: h * (1 if random.random() < 2 else 2),
    ],
)
def test_random_numbers_without_effect_are_not(function):
    binding, error = checked(function)
    assert error < 1e-6
    assert not binding.breakers
    assert not binding.inference.blind


def cut_in_two(h, axis=-1):
    one, two = h.split([1, h.shape[axis] - 1], axis)
    return torch.cat([-one, two], axis)


def first_is_last(h):
    y = h.clone().movedim(2, 0)
    y[0] = y[-1] + 1
    return y.movedim(0, 2)


@pytest.mark.parametrize(
    "function",
    [
        cut_in_two,
        first_is_last,
        lambda h: h * h.select(-1, 0).unsqueeze(-1).sigmoid(),
        lambda h: h + F.one_hot(h.argmax(-1), h.shape[-1]).cumsum(-1),
    ],
)
@pytest.mark.parametrize("conv", [nn.Conv2d, nn.Conv3d])
def test_pieces_that_the_group_takes_to_no_pieces_are_named(function, conv):
    group, x = (D4, torch.randn(1, 1, 5, 5)) if conv is nn.Conv2d else (iw.Octahedral(), torch.randn(1, 1, 4, 4, 4))
    rep = iw.on_grid(group.trivial())
    binding = iw.bind(OfImages(function, conv), rep_in=rep, rep_out=rep, example=x)
    assert binding.breakers


class Branching(nn.Module):
    """Twice as much where the first number of all is positive: one module, whose values alone could say what it is."""

    def forward(self, x):
        return 2 * x if x.flatten()[0] > 0 else x


@pytest.mark.parametrize("seed", range(4))
def test_a_module_that_branches_on_a_component_is_not_believed_by_a_few_values(seed):
    torch.manual_seed(seed)
    rep, model = iw.SO(3).standard(), nn.Sequential(Branching())
    binding = iw.bind(model, rep_in=rep, rep_out=rep, example=torch.randn(4, 3))
    assert binding.breakers
