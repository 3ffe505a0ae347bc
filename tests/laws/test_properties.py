"""The laws again, on mixtures of fields, multiplicities and layouts that Hypothesis draws."""

import warnings

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import intertwine as iw
from tests.laws.registry import average_matrix

FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)

GROUPS = [
    iw.Cyclic(2),
    iw.Cyclic(3),
    iw.Cyclic(4),
    iw.Dihedral(3),
    iw.Dihedral(4),
    iw.Symmetric(3),
    iw.Tetrahedral(),
    iw.SO(2),
    iw.O(2),
    iw.SO(3),
    iw.O(3),
    iw.Cyclic(2) * iw.Cyclic(3),
]
BAND = 2


def fields(group: iw.Group) -> list[iw.Representation]:
    """Small fields of the group; frequencies at most 1 for Lie groups, so that a band of 2 integrates exactly."""
    if not group.is_finite:
        return [group.irrep(label) for label in group.irrep_labels(3) if label[0] in "01"]
    found = [group.irrep(label) for label in group.irrep_labels(4)[:4]]
    if group.order <= 6:
        found.append(group.regular())
    return found


@st.composite
def representations(draw: st.DrawFn, group: iw.Group, limit: int = 9) -> iw.Representation:
    """A sum of up to four segments with multiplicities 0 to 3 in either layout."""
    segments: list[iw.Segment] = []
    for _ in range(draw(st.integers(1, 4))):
        rep = draw(st.sampled_from(fields(group)))
        layout = draw(st.sampled_from(["mul_ir", "ir_mul"]))
        segments += [iw.Segment(draw(st.integers(0, 3)), segment.field, layout) for segment in rep.segments]
    kept, total = [], 0
    for segment in segments:
        if total + segment.dim <= limit:
            kept.append(segment)
            total += segment.dim
    return iw.Representation(group, tuple(kept))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[iw.Representation, iw.Representation, int]:
    group = draw(st.sampled_from(GROUPS))
    return draw(representations(group)), draw(representations(group)), draw(st.integers(0, 2**31))


@FAST
@given(pairs())
def test_p_is_the_average_for_any_mixture(case: tuple[iw.Representation, iw.Representation, int]) -> None:
    rep_in, rep_out, seed = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        P = iw.projector(rep_in, rep_out)
    W = torch.randn(P.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    image, residual = P.project(W), P.residual(W)
    torch.testing.assert_close(image + residual, W, rtol=0, atol=1e-10)
    torch.testing.assert_close(P.project(image), image, rtol=0, atol=1e-10)
    torch.testing.assert_close(P.project(residual), torch.zeros_like(W), rtol=0, atol=1e-10)
    if W.numel():
        average = average_matrix((rep_out, rep_in.dual()), BAND)
        torch.testing.assert_close(image.reshape(-1), average @ W.reshape(-1), rtol=0, atol=1e-10)
        assert P.rank == round(float(torch.trace(average)))


@FAST
@given(pairs())
def test_penalty_and_parts_are_consistent(case: tuple[iw.Representation, iw.Representation, int]) -> None:
    rep_in, rep_out, seed = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        P = iw.projector(rep_in, rep_out)
    W = torch.randn(P.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    squared = float(P.squared_residual(W))
    torch.testing.assert_close(squared + float(P.squared_projection(W)), float(W.pow(2).sum()), rtol=1e-10, atol=1e-12)
    split = iw.residual_by_irreps(P, W)
    torch.testing.assert_close(float(sum(e.squared_residual for e in split.entries)), squared, rtol=1e-9, atol=1e-10)


@FAST
@given(pairs())
def test_decomposition_rebuilds_the_matrices(case: tuple[iw.Representation, iw.Representation, int]) -> None:
    rep, _, seed = case
    parts = iw.decompose(rep)
    g = rep.group.sample(1, generator=torch.Generator().manual_seed(seed))[0]
    rebuilt = parts.basis @ parts.rep_irreps.matrix(g) @ parts.basis.T
    torch.testing.assert_close(rebuilt, rep.matrix(g), rtol=0, atol=1e-9)
    torch.testing.assert_close(parts.basis.T @ parts.basis, torch.eye(rep.dim, dtype=torch.float64), rtol=0, atol=1e-10)


@FAST
@given(pairs())
def test_actions_compose_and_characters_are_traces(case: tuple[iw.Representation, iw.Representation, int]) -> None:
    rep, other, seed = case
    g, h = rep.group.sample(2, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(rep.matrix(g) @ rep.matrix(h), rep.matrix(g @ h), rtol=0, atol=1e-10)
    total = rep + other
    torch.testing.assert_close(total.matrix(g), torch.block_diag(rep.matrix(g), other.matrix(g)))
    torch.testing.assert_close(float(total.character(g)), float(torch.trace(total.matrix(g))), rtol=0, atol=1e-10)
    x = torch.randn(3, total.dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    torch.testing.assert_close(total.act(g, x), x @ total.matrix(g).T, rtol=0, atol=1e-10)
