"""The laws of kernels on mixtures of fields, sizes and layouts that Hypothesis draws."""

import warnings

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import intertwine as iw
from tests.laws.test_properties import representations
from tests.projectors.test_kernels import brute_force

FAST = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)

# Group and the kernels that it maps onto themselves.
PLANES = [
    (iw.Cyclic(2), st.tuples(st.integers(1, 4), st.integers(1, 4))),
    (iw.Dihedral(1), st.tuples(st.integers(1, 4), st.integers(1, 4))),
    (iw.Dihedral(2), st.tuples(st.integers(1, 4), st.integers(1, 4))),
    (iw.Cyclic(4), st.integers(1, 4).map(lambda n: (n, n))),
    (iw.Dihedral(4), st.integers(1, 4).map(lambda n: (n, n))),
    (iw.Tetrahedral(), st.integers(1, 3).map(lambda n: (n, n, n))),
]


@st.composite
def kernels(draw: st.DrawFn) -> tuple[iw.Representation, iw.Representation, tuple[int, ...], int]:
    group, sides = draw(st.sampled_from(PLANES))
    limit = 4 if group.name == "T" else 6
    return (
        draw(representations(group, limit)),
        draw(representations(group, limit)),
        draw(sides),
        draw(st.integers(0, 999)),
    )


def drawn(P: iw.Projector, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(P.shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@FAST
@given(kernels())
def test_kernels_equal_brute_force_for_any_mixture(case: tuple) -> None:
    rep_in, rep_out, kernel, seed = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        P = iw.projector(rep_in, rep_out, kernel=kernel)
    K = drawn(P, seed)
    assert P.exact
    image = P.project(K)
    torch.testing.assert_close(image + P.residual(K), K, rtol=0, atol=1e-12)
    if K.numel():
        expected = brute_force(rep_in, rep_out, K, rep_in.group.standard())
        torch.testing.assert_close(image, expected, rtol=0, atol=1e-12)


@FAST
@given(kernels(), st.sampled_from([torch.float32, torch.bfloat16, torch.float16, torch.complex128]))
def test_precision_and_memory_format_do_not_change_the_projection(case: tuple, dtype: torch.dtype) -> None:
    rep_in, rep_out, kernel, seed = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        P = iw.projector(rep_in, rep_out, kernel=kernel)
    K = drawn(P, seed, torch.complex128 if dtype.is_complex else torch.float64).to(dtype)
    exact = K.to(torch.complex128) if dtype.is_complex else K.double()
    last = K.contiguous(memory_format=torch.channels_last if len(kernel) == 2 else torch.channels_last_3d)
    tolerance = {torch.bfloat16: 2e-2, torch.float16: 5e-3, torch.float32: 1e-5, torch.complex128: 1e-10}[dtype]
    for ours in (P.project(K), P.project(last)):
        error = torch.linalg.vector_norm(ours.to(exact.dtype) - P.project(exact))
        assert float(error) <= tolerance * max(1.0, float(torch.linalg.vector_norm(exact)))


@FAST
@given(st.sampled_from([iw.SO(2), iw.O(2), iw.SO(3), iw.O(3)]), st.integers(2, 5), st.integers(0, 999), st.data())
def test_steerable_kernels_are_orthogonal_projections(
    group: iw.Group, side: int, seed: int, data: st.DataObject
) -> None:
    dim = group.matrix_dim
    rep_in, rep_out = data.draw(representations(group, 5)), data.draw(representations(group, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        P = iw.projector(rep_in, rep_out, kernel=(side if dim == 2 else min(side, 3),) * dim)
    K, L = drawn(P, seed), drawn(P, seed + 1)
    torch.testing.assert_close(P.project(P.project(K)), P.project(K), rtol=0, atol=1e-9)
    torch.testing.assert_close((P.project(K) * L).sum(), (K * P.project(L)).sum(), rtol=1e-9, atol=1e-9)
    total = float(P.squared_residual(K) + P.squared_projection(K))
    torch.testing.assert_close(total, float(K.square().sum()), rtol=1e-10, atol=1e-12)
