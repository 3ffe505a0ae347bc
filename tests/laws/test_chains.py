"""Fact 7: for H < G, ``P_G P_H = P_G``, and squared residuals along a chain add up; commuting actions multiply."""

from itertools import pairwise

import pytest
import torch

import intertwine as iw

CHAINS = {
    "SO2>C8>C4>C2": (
        lambda: iw.SO(2).irreps("2x0 + 1 + 2 + 4 + 8"),
        [lambda: iw.Cyclic(8), lambda: iw.Cyclic(4), lambda: iw.Cyclic(2)],
    ),
    "O2>D2>Mirror": (
        lambda: iw.O(2).irreps("0+ + 0- + 1 + 2 + 3"),
        [lambda: iw.Dihedral(2), lambda: iw.Mirror("x")],
    ),
    "O3>Mirror": (lambda: iw.O(3).irreps("0e + 0o + 1o + 2e + 3o"), [lambda: iw.Mirror("y", dim=3)]),
    "O2>D4>C4": (lambda: iw.O(2).irreps("0+ + 0- + 1 + 2 + 4"), [lambda: iw.Dihedral(4), lambda: iw.Cyclic(4)]),
    "SO3>O>T": (lambda: iw.SO(3).irreps("0 + 1 + 2 + 3 + 4"), [iw.Octahedral, iw.Tetrahedral]),
    "O3>SO3>I": (lambda: iw.O(3).irreps("0e + 0o + 1o + 2e + 3o"), [lambda: iw.SO(3), iw.Icosahedral]),
    "D4>C4>C2 regular": (lambda: 2 * iw.Dihedral(4).regular(), [lambda: iw.Cyclic(4), lambda: iw.Cyclic(2)]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_nest_and_their_parts_add_up(name: str) -> None:
    build, groups = CHAINS[name]
    rep = build()
    projectors = [iw.projector(rep, rep), *(iw.projector(rep.restrict(H()), rep.restrict(H())) for H in groups)]
    W = torch.randn(rep.dim, rep.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    images = [P.project(W) for P in projectors]
    for large, small in pairwise(projectors):
        assert large.rank < small.rank
        torch.testing.assert_close(large.project(small.project(W)), large.project(W), rtol=0, atol=1e-10)
        torch.testing.assert_close(small.project(large.project(W)), large.project(W), rtol=0, atol=1e-10)
    parts = [images[0], *(b - a for a, b in pairwise(images)), W - images[-1]]
    assert sum(float(part.pow(2).sum()) for part in parts) == pytest.approx(float(W.pow(2).sum()), rel=1e-10)
