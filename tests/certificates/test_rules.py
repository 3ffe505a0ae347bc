"""Rules of single functions against what the function does: its norm as a matrix, the windows that share entries."""

import math

import pytest
import torch
from torch.nn import functional as F

from intertwine.certificates.bounds import Bound, Fixed
from intertwine.certificates.call import Call
from intertwine.certificates.run import RULES

X = torch.zeros(1, 2, 6, 6, dtype=torch.float64)
LINEAR = {
    "whole windows": ("avg_pool2d", (2,), {}),
    "windows that overlap": ("avg_pool2d", (3, 1), {}),
    "windows at a border": ("avg_pool2d", (3, 2, 1), {"count_include_pad": False}),
    "windows with a rest": ("avg_pool2d", (4,), {"ceil_mode": True}),
    "adaptive, fitting": ("adaptive_avg_pool2d", (3,), {}),
    "adaptive, not fitting": ("adaptive_avg_pool2d", (4,), {}),
    "adaptive, growing": ("adaptive_avg_pool2d", (20,), {}),
    "zeros": ("pad", ((1, 2, 3, 4),), {}),
    "reflected": ("pad", ((5, 5, 1, 0),), {"mode": "reflect"}),
    "around": ("pad", ((6, 6, 1, 0),), {"mode": "circular"}),
    "repeated": ("pad", ((4, 4, 1, 0),), {"mode": "replicate"}),
}


def bounded(name, args, kwargs, inputs):
    out = getattr(F, name, None) or getattr(torch, name)
    call = Call(name, (*inputs, *args), kwargs, out(*inputs, *args, **kwargs), lambda _: Bound(1.0, {"W": 1.0}, 1.0))
    return RULES[name](call)


@pytest.mark.parametrize("case", list(LINEAR))
def test_linear_functions_are_no_larger_than_their_rule_says(case):
    name, args, kwargs = LINEAR[case]
    inputs = torch.eye(X.numel(), dtype=torch.float64).view(-1, *X.shape[1:])
    operator = getattr(F, name)(inputs, *args, **kwargs).flatten(1)
    norm = float(torch.linalg.matrix_norm(operator, ord=2))
    found = bounded(name, args, kwargs, (X,))
    assert norm <= found.size * (1 + 1e-12)
    assert found.error == found.size == found.reach


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(2, 2, 1), (3, 1, 1), (3, 2, 1), (3, 2, 2), (2, 1, 2)])
def test_no_entry_is_in_more_windows_than_the_rule_says(kernel, stride, dilation):
    x = torch.zeros(1, 2, 13, 13, dtype=torch.float64)
    windows = F.max_pool2d(x, kernel, stride, 0, dilation).shape
    ones = torch.ones(1, 1, kernel, kernel, dtype=torch.float64)
    shared = F.conv_transpose2d(
        torch.ones(1, 1, *windows[2:], dtype=torch.float64), ones, None, stride, 0, 0, 1, dilation
    )
    found = bounded("max_pool2d", (kernel, stride, 0, dilation), {}, (x,))
    assert math.sqrt(float(shared.max())) <= found.size


def test_the_larger_of_two_takes_both():
    one, other = X + 1, X[:, :1] + 2
    of = {id(one): Bound(1.0, {"V": 0.1}, 1.0), id(other): Bound(3.0, {"W": 0.2}, 3.0)}
    found = RULES["max"](Call("max", (one, other), {}, torch.max(one, other), lambda tensor: of[id(tensor)]))
    assert found.parts == {"V": 0.1, "W": pytest.approx(0.2 * math.sqrt(2))}  # the other is spread over two channels
    assert found.size == pytest.approx(1 + 3 * math.sqrt(2))


def test_a_mask_that_is_not_equivariant_is_in_the_scores():
    q = torch.zeros(1, 2, 5, 4, dtype=torch.float64)
    mask = torch.zeros(2, 5, 5, dtype=torch.float64)
    residual = torch.ones_like(mask)

    def known(tensor):
        return Fixed(residual, ("table",)) if tensor is mask else Bound(1.0, {}, 1.0)

    call = Call(
        "scaled_dot_product_attention", (q, q, q, mask), {}, F.scaled_dot_product_attention(q, q, q, mask), known
    )
    found = RULES["scaled_dot_product_attention"](call)
    assert found.parts == {"table": pytest.approx(2 * math.sqrt(50))}
