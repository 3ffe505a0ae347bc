"""What the check of calls goes by: the elements that it moves arguments with."""

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.tracing.checking.elements import generating_elements

GROUPS = {
    "D4": (iw.Dihedral(4), 2, lambda G: G.regular()),
    "SO(2)": (iw.SO(2), 1, lambda G: G.irreps("2x0 + 1 + 2x2")),
    "O(2)": (iw.O(2), 2, lambda G: sum((G.irrep(label) for label in G.irrep_labels(2)[1:4]), G.trivial())),
    "SO(3)": (iw.SO(3), 2, lambda G: G.irreps("0 + 2x1 + 2")),
    "O(3)": (iw.O(3), 2, lambda G: G.irreps("0e + 0o + 1e + 2x1o")),
    "C4 x SO(3)": (iw.Cyclic(4) * iw.SO(3), 2, lambda G: G.standard()),
}


@pytest.mark.parametrize("name", GROUPS)
def test_what_commutes_with_the_elements_commutes_with_the_group(name):
    G, count, representation = GROUPS[name]
    rep = representation(G)
    elements = generating_elements(G)
    assert len(elements) == count
    eye = np.eye(rep.dim)
    rows = [np.kron(eye, rep.matrix(g).numpy()) - np.kron(rep.matrix(g).numpy().T, eye) for g in elements]
    left = rep.dim**2 - np.linalg.matrix_rank(np.concatenate(rows), tol=1e-6)
    assert left == iw.projector(rep, rep).rank
    assert all(torch.equal(a, b) for a, b in zip(elements, generating_elements(G), strict=True))
