"""torch.compile takes the penalty and the projection whole, without a graph break, and gets the same numbers."""

import warnings
from collections.abc import Callable

import pytest
import torch

import intertwine as iw

# Dynamo instantiates autograd functions, of which torch itself warns.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")

CASES: dict[str, Callable[[], iw.Projector]] = {
    "orbit": lambda: iw.projector(4 * iw.Cyclic(4).regular(), 2 * iw.Cyclic(4).regular()),
    "schur": lambda: iw.projector(iw.SO(3).irreps("3x0 + 2x1"), iw.SO(3).irreps("2x0 + 3x1")),
    "kernel on pixels": lambda: iw.projector(iw.Cyclic(4).regular(), iw.Cyclic(4).regular(), kernel=(3, 3)),
    "steerable kernel": lambda: iw.projector(iw.SO(2).irrep(1), 2 * iw.SO(2).irrep(1), kernel=(3, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_compiles_in_one_graph(name: str) -> None:
    P = CASES[name]()
    W = torch.randn(P.shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.compile(lambda W: P.squared_residual(W) / 2, fullgraph=True, backend="aot_eager")
        value = compiled(W)
        (gradient,) = torch.autograd.grad(value, W)
        image = torch.compile(P.project, fullgraph=True, backend="aot_eager")(W)
    torch.testing.assert_close(value, P.squared_residual(W) / 2)
    torch.testing.assert_close(gradient, P.residual(W.detach()))
    torch.testing.assert_close(image, P.project(W))
