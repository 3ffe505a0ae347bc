"""Norms, residuals and steps do not depend on the scale of the weights, over the whole range of each dtype."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine._numerics import TOLERANCES, divided, norm, power_of_two, scale_of
from tests.laws.kinds import KINDS, as_real, example

# Largest entries; float16 holds 6e-8 to 65504.
SCALES = {
    torch.float64: (1e-160, 1e160, 1e-300, 1e300),
    torch.float32: (1e-25, 1e19, 1e-38, 1e38),
    torch.bfloat16: (1e-25, 1e19, 1e-38, 1e38),
    torch.float16: (1e-3, 6e4),
}
PAIRS = [pytest.param(dtype, scale, id=f"{dtype}-{scale:g}") for dtype, scales in SCALES.items() for scale in scales]
R = 2 * iw.Cyclic(4).regular()


def at(W: torch.Tensor, dtype: torch.dtype, scale: float) -> torch.Tensor:
    """W with a largest entry of ``scale``, rounded to ``dtype`` (to the complex one for complex W)."""
    largest = float(as_real(W).abs().max())
    return (W * (scale / largest)).to(dtype.to_complex() if W.is_complex() else dtype)


def precise(P: iw.Projector, W: torch.Tensor) -> tuple[float, float]:
    """``|W - P W| / |W|`` and ``|W|`` of the numbers that W holds, brought near 1 in double precision first."""
    wide = W.to(torch.promote_types(W.dtype, torch.float64))
    largest = float(as_real(wide).abs().max())
    wide = torch.view_as_complex(torch.view_as_real(wide) / largest) if W.is_complex() else wide / largest
    rest, whole = (float(torch.linalg.vector_norm(P.coordinates(V))) for V in (P.residual(wide), wide))
    return rest / whole, whole * largest


@pytest.mark.parametrize(("dtype", "scale"), PAIRS)
@pytest.mark.parametrize("name", KINDS)
def test_relative_residual(name: str, dtype: torch.dtype, scale: float) -> None:
    P, W = example(name)
    if W.is_complex() and dtype in (torch.float16, torch.bfloat16):
        return
    W = at(W, dtype, scale)
    expected, _ = precise(P, W)
    tolerance = TOLERANCES[torch.float64 if dtype == torch.float64 else torch.float32]
    assert float(P.relative_residual(W)) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize(("dtype", "scale"), PAIRS)
def test_residuals_and_report_are_one_measurement(dtype: torch.dtype, scale: float) -> None:
    layer = nn.Linear(8, 8)
    W, b = (
        torch.randn(8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
        torch.arange(8.0).double(),
    )
    layer.weight, layer.bias = (nn.Parameter(at(V, dtype, scale)) for V in (W, b))
    binding = iw.bind(layer, {"": (R, R)})
    report = iw.report(binding)
    for found, beside in zip(binding.residuals().values(), report.parameters, strict=True):
        relative, whole = precise(binding[found.name].projector, getattr(layer, found.name).detach())
        assert found.relative_residual == pytest.approx(relative, rel=1e-10)
        assert found.norm == pytest.approx(whole, rel=1e-10)
        assert found.residual == pytest.approx(relative * whole, rel=1e-10)
        assert (found.norm, found.residual, found.relative_residual) == (
            beside.norm,
            beside.residual,
            beside.relative_residual,
        )
        assert (found.rank, found.numel, found.chance) == (beside.rank, beside.numel, beside.chance)
    assert 0 < report.relative_residual < 1
    assert np.isfinite(report.norm)
    assert sum(share.share for share in report.parameters[0].worst) > 0.1


@pytest.mark.parametrize(("dtype", "scale"), PAIRS)
@pytest.mark.parametrize("form", ["norm", "relative"])
def test_penalties_and_their_gradients(form: str, dtype: torch.dtype, scale: float) -> None:
    layer = nn.Linear(8, 8, bias=False)
    W = torch.randn(8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    layer.weight = nn.Parameter(at(W, dtype, scale))
    binding = iw.bind(layer, {"": (R, R)})
    relative, whole = precise(P := binding["weight"].projector, layer.weight.detach())
    value = binding.penalty(strength=0.25, form=form)
    expected = relative * whole / 4 if form == "norm" else relative**2 / 8
    tolerance = TOLERANCES[torch.float64 if dtype == torch.float64 else torch.float32]
    assert float(value.detach()) == pytest.approx(expected, rel=tolerance)
    (gradient,) = torch.autograd.grad(value, layer.weight)
    rest = P.residual(layer.weight.detach().double() / scale)
    if form == "norm":
        wanted = rest / rest.norm() / 4
    else:
        unit = layer.weight.detach().double() / scale
        wanted = (rest - relative**2 * unit) / unit.norm() ** 2 / scale / 4
        if float(wanted.abs().max()) > torch.finfo(dtype).max:  # such a gradient has no number
            return
    subnormal = 8 * torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps  # of 64 entries, the step at 0
    assert float((gradient.double() - wanted).norm()) <= TOLERANCES[dtype] * float(wanted.norm()) + subnormal


@pytest.mark.parametrize(("dtype", "scale"), PAIRS)
@pytest.mark.parametrize("keep", [False, True], ids=["project", "keeping norms"])
def test_projecting(dtype: torch.dtype, scale: float, keep: bool) -> None:
    if scale == 6e4 and keep:
        scale = 2e4  # what keeps its norm grows in places, beyond what float16 holds
    if scale in (1e38, 1e300) and keep:
        scale /= 10
    layer = nn.Linear(8, 8, bias=False)
    W = torch.randn(8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    layer.weight = nn.Parameter(at(W, dtype, scale))
    before = layer.weight.detach().double() / scale
    binding = iw.bind(layer, {"": (R, R)})
    binding.project_(preserve_norm=keep)
    after, expected = layer.weight.detach().double() / scale, binding["weight"].projector.project(before)
    if keep:
        for copy in (slice(0, 4), slice(4, 8)):
            expected[copy] *= before[copy].norm() / expected[copy].norm()
    # At 1e-38 numbers of float32 have lost two bits to the subnormal range, those of bfloat16 all but six.
    subnormal = 2.0**-7 if (dtype, scale) == (torch.bfloat16, 1e-38) else 0.0
    assert float((after - expected).norm()) <= (TOLERANCES[dtype] + subnormal) * float(expected.norm())


@pytest.mark.parametrize("scale", [1e-38, 1e-25, 1e19, 1e37])
def test_initialising(scale: float) -> None:
    class Scaled(nn.Linear):
        def reset_parameters(self) -> None:
            nn.init.uniform_(self.weight, -scale, scale)

    layer = Scaled(8, 8, bias=False)
    binding = iw.bind(layer, {"": (R, R)}).initialize_(generator=torch.Generator().manual_seed(0))
    found = binding.residuals()["weight"]
    assert found.relative_residual < 1e-5
    assert found.norm == pytest.approx(8 * scale / math.sqrt(3), rel=0.2)


def test_norm_is_exact_at_all_scales_at_once() -> None:
    for dtype, scales in SCALES.items():
        if dtype in (torch.float16, torch.bfloat16):
            continue
        for scale in scales:
            x = torch.tensor([3.0, -4.0], dtype=torch.float64) / 4 * scale
            assert float(norm(x.to(dtype))) == pytest.approx(1.25 * scale, rel=1e-6)
            z = torch.complex(x[:1], x[1:]).to(dtype.to_complex())
            assert float(norm(z)) == pytest.approx(1.25 * scale, rel=1e-6)
    assert float(norm(torch.zeros(3))) == 0
    assert float(norm(torch.zeros(0))) == 0
    assert math.isinf(float(norm(torch.tensor([math.inf, 1.0])))) or math.isnan(float(norm(torch.tensor([math.inf]))))
    assert math.isnan(float(norm(torch.tensor([math.nan, 1.0]))))


def test_scaling_keeps_every_bit() -> None:
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    scale = scale_of(x)
    assert torch.equal(divided(x, scale) * scale, x)
    assert power_of_two(torch.tensor([0.0, 1.0, 3.0, 0.7, math.inf])).tolist() == [1.0, 1.0, 2.0, 0.5, 1.0]
    assert power_of_two(torch.tensor(1e-45)) == torch.finfo(torch.float32).tiny


def test_norm_has_derivatives_to_second_order_also_at_zero() -> None:
    x = torch.randn(4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(norm, (x,))
    assert torch.autograd.gradgradcheck(norm, (x,))
    zero = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(norm(zero), zero, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), zero)
    assert torch.equal(first, torch.zeros_like(zero))
    assert torch.equal(second, torch.zeros_like(zero))


REP = iw.SO(3).irreps("2x0 + 3x1")
LAYERS = {
    "NormActivation": lambda: iw.nn.NormActivation(REP, lambda n: n / (1 + n), eps=1e-30),
    "NormActivation, linear": lambda: iw.nn.NormActivation(REP, lambda n: 0.5 * n),
    "FieldNorm": lambda: iw.nn.FieldNorm(REP),
    "FieldNorm, no eps": lambda: iw.nn.FieldNorm(REP, eps=0.0),
    "InvariantReadout": lambda: iw.nn.InvariantReadout(REP),
    "InvariantReadout, means": lambda: iw.nn.InvariantReadout(2 * iw.Cyclic(4).regular() + iw.Cyclic(4).trivial()),
    "Gate": lambda: iw.nn.Gate(REP, torch.tanh),
}


@pytest.mark.parametrize("scale", [1e-38, 1e-25, 1e-3, 1e19, 1e38])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_on_features_of_any_scale(name: str, scale: float) -> None:
    """float32 against float64, where nothing leaves the range; value and gradient."""
    layer = LAYERS[name]()
    x = torch.rand(6, layer.rep_in.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    x = (x * scale).float()
    narrow, wide = x.clone().requires_grad_(), x.double().requires_grad_()
    y, exact = layer(narrow), layer(wide)
    tolerance = TOLERANCES[torch.float32]

    def near(a: torch.Tensor, b: torch.Tensor) -> None:
        largest = float(b.abs().max())
        assert largest > 0
        assert float((a.double() - b).abs().max()) <= tolerance * largest + 2e-45

    near(y.detach(), exact.detach())
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (slope,) = torch.autograd.grad((y * direction.float()).sum(), narrow)
    (steep,) = torch.autograd.grad((exact * direction).sum(), wide)
    if float(steep.abs().max()) < torch.finfo(torch.float32).max:
        near(slope, steep)


def test_reproduction() -> None:
    P = iw.projector(R, R)
    W = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    expected = float(P.relative_residual(W))
    for scale in (1e-25, 1e19):
        layer = nn.Linear(8, 8, bias=False)
        layer.weight.data = W * scale
        assert float(P.relative_residual(layer.weight)) == pytest.approx(expected, rel=1e-5)
        found = iw.bind(layer, {"": (R, R)}).residuals()["weight"].relative_residual
        assert found == pytest.approx(expected, rel=1e-5)


def test_tensors_without_values_are_refused() -> None:
    binding = iw.bind(nn.Linear(8, 8, device="meta"), {"": (R, R)})
    for measure in (binding.residuals, lambda: iw.report(binding)):
        with pytest.raises(iw.errors.ArgumentError, match="weight: expected a tensor with values; got one on the meta"):
            measure()
    layer = nn.Linear(8, 8)
    layer.weight.data[0, 0] = math.inf
    for measure in (iw.bind(layer, {"": (R, R)}).residuals, lambda: iw.report(iw.bind(layer, {"": (R, R)}))):
        with pytest.raises(iw.errors.NonFiniteError, match="weight: expected finite numbers; got NaN or infinity"):
            measure()
