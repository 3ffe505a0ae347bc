import math

import pytest
import torch

import intertwine as iw
from intertwine.projectors import blocks_projector
from intertwine.projectors.blocks_projector import JOINT_LIMIT
from intertwine.projectors.norms.joint import JointMaps
from intertwine.projectors.norms.proximal import Shrinkage, shrink_
from tests.binding.cases import seeded

R = iw.Cyclic(4).regular()
INF = math.inf


def projectors():
    O3, C4 = iw.O(3), iw.Cyclic(4)
    irreps = O3.irreps("3x0e + 2x1o + 1x2e")
    yield "schur", iw.projector(irreps, O3.irreps("2x0e + 3x1o"))
    yield "schur, reordered", iw.projector(irreps + irreps, irreps)
    yield "schur, complex type", iw.projector(iw.SO(2).irreps("2x0 + 2x1"), iw.SO(2).irreps("1x0 + 3x1"))
    yield "schur, bias", iw.projector(irreps)
    yield "orbit", iw.projector(C4.grid(3, 3), 2 * C4.regular())
    yield "orbit, reordered", iw.projector(C4.grid(3, 3), C4.grid(3, 3))
    yield "block", iw.projector(axes=(O3.irreps("1o"), O3.irreps("2x1o"), O3.irreps("2e")))
    yield "free axis", iw.projector(axes=(None, R))
    yield "free axis, several parts", iw.projector(axes=(None, 2 * R + C4.trivial()))
    innermost = iw.SO(3).irreps("2x0 + 2x1", layout="ir_mul")
    yield "copies innermost", iw.projector(innermost, innermost)
    yield "nullspace", iw.projector(irreps, irreps, method="nullspace")


@pytest.mark.parametrize("P", [pytest.param(P, id=name) for name, P in projectors()])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_shrink_is_what_it_says(P, dtype):
    shape = [3 if n is None else n for n in P.shape]
    W = torch.randn(shape, generator=seeded(), dtype=torch.float64).to(dtype)
    for factor in (0.0, 0.25, 1.0, torch.tensor(0.25)):
        result = W.clone()
        P.shrink_(result, factor)
        wide = W.double()
        expected = P.project(wide) + float(factor) * P.residual(wide)
        tolerance = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 2e-2}[dtype]
        torch.testing.assert_close(result.double(), expected, rtol=tolerance, atol=tolerance)
    with pytest.raises(iw.errors.ShapeError, match="W: expected shape"):
        P.shrink_(W[:-1].clone() if None not in P.shape else W[..., :-1].clone(), 0.5)


@pytest.mark.parametrize("P", [pytest.param(P, id=name) for name, P in projectors()])
@pytest.mark.parametrize("entries", [1, 40])
def test_shrink_by_rows_is_the_same(P, entries, monkeypatch):
    """Large weights are taken some rows at a time: here small ones, by single copies and by several."""
    W = torch.randn([3 if n is None else n for n in P.shape], generator=seeded())
    whole, pieces = W.clone(), W.clone()
    P.shrink_(whole, 0.25)
    monkeypatch.setattr(blocks_projector, "CACHED", entries)
    P.shrink_(pieces, 0.25)
    torch.testing.assert_close(pieces, whole, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("entries", [1, 40])
def test_shrink_by_rows_leaves_strides_alone(entries, monkeypatch):
    monkeypatch.setattr(blocks_projector, "CACHED", entries)
    test_shrink_leaves_strides_alone()


def test_shrink_leaves_strides_alone():
    P = iw.projector(iw.SO(3).irreps("2x0 + 2x1"), iw.SO(3).irreps("1x0 + 1x1"))
    wide = torch.randn(8, 8, generator=seeded(), dtype=torch.float64)
    around = wide.clone()
    view = wide.T[2:6, :8]
    expected = P.project(view) + 0.5 * P.residual(view)
    P.shrink_(view, 0.5)
    torch.testing.assert_close(view, expected)
    assert torch.equal(wide.T[:2], around.T[:2])
    assert torch.equal(wide.T[6:], around.T[6:])


@pytest.mark.parametrize("limit", [JOINT_LIMIT, 0], ids=["together", "one by one"])
@pytest.mark.parametrize(("strength", "steps"), [(2e-5, 2000), (1e-4, 5000), (1e-3, 1000)])
def test_tiny_steps_in_float32_add_up(strength, steps, limit, monkeypatch):
    """PW stays where it is, and the residual shrinks at the rate that was asked for."""
    monkeypatch.setattr(iw.Projector, "joint_entries", property(lambda _: limit))
    rep, maps = iw.SO(3).irreps("2x0 + 2x1"), JointMaps()
    W = torch.randn(8, 8, generator=seeded())
    P = iw.projector(rep, rep)
    kept, rest = P.project(W.double()), P.residual(W.double())
    for _ in range(steps):
        shrink_([Shrinkage(W, [(P, strength)], 1.0)], maps)
    # Each step rounds to 6e-8; a factor that P W went through would have cost steps * 6e-8 = 3e-4.
    assert float((P.project(W.double()) - kept).norm() / kept.norm()) < 2e-5
    rate = -math.log(float(P.residual(W.double()).norm() / rest.norm())) / steps
    assert rate == pytest.approx(strength, rel=5e-3)


def weights_and_steps(dtype=torch.float64):
    found = []
    for i, (_, P) in enumerate(projectors()):
        shape = [3 if n is None else n for n in P.shape]
        W = torch.randn(shape, generator=seeded(i), dtype=dtype)
        found.append((W, [(P, (2.0, INF)[i % 2])], (0.3, torch.tensor(0.1))[i % 3 == 0]))
    return found


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_weights_of_several_strengths_and_rates_at_once(dtype):
    found = weights_and_steps(dtype)
    before = [W.clone() for W, _, _ in found]
    shrink_([Shrinkage(*step) for step in found], JointMaps())
    for W, old, (_, [(P, s)], lr) in zip([W for W, _, _ in found], before, found, strict=True):
        factor = 0.0 if s == INF else 1 / (1 + float(lr) * s)
        expected = P.project(old.double()) + factor * P.residual(old.double())
        tolerance = 1e-12 if dtype == torch.float64 else 2e-6
        torch.testing.assert_close(W.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("lr", [None, math.nan, -0.1, math.inf, torch.tensor(math.nan)])
def test_a_finite_strength_needs_a_learning_rate(lr):
    W, P = torch.randn(4, 4, generator=seeded()), iw.projector(R, R)
    before = W.clone()
    with pytest.raises(iw.errors.ArgumentError, match=r"optimizer: expected a finite learning rate 'lr' >= 0"):
        shrink_([Shrinkage(W, [(P, 1.0)], lr)], JointMaps())
    assert torch.equal(W, before)
    shrink_([Shrinkage(W, [(P, math.inf)], None)], JointMaps())
    torch.testing.assert_close(W, P.project(before))


@pytest.mark.parametrize(
    "factor", [math.nan, 2.0, -1.0, "0.5", None, True, torch.ones(2), torch.tensor(1), torch.tensor(2.0)]
)
def test_factors_that_are_refused(factor):
    W = torch.ones(4, 4)
    with pytest.raises(iw.errors.ArgumentError, match=r"factor: expected a number in \[0, 1\]"):
        iw.projector(R, R).shrink_(W, factor)
    assert torch.equal(W, torch.ones(4, 4))


@pytest.mark.parametrize("P", [iw.projector(R, R), iw.translation_projector(1, 1, (4,), method="fft")])
def test_expanded_weights_are_refused(P):
    with pytest.raises(iw.errors.ShapeError, match="W: expected entries with memory of their own"):
        P.shrink_(torch.ones(4).expand(4, 4), 0.5)
