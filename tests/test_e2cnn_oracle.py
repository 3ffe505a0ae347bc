"""e2cnn as an oracle: its steerable kernels, built in another way, are ones that our projector leaves as they are."""

import pytest
import torch

import intertwine as iw
from experiments.e2cnn.layers import e2cnn_draw

e2cnn_nn = pytest.importorskip("e2cnn.nn")
gspaces = pytest.importorskip("e2cnn.gspaces")

C4 = iw.Cyclic(4)
SPACE = gspaces.Rot2dOnR2(4)
# Ours, and e2cnn's.
FIELDS = {
    "regular": (C4.regular(), SPACE.regular_repr),
    "trivial": (C4.trivial(), SPACE.trivial_repr),
    "vector": (C4.irrep(1), SPACE.irrep(1)),
    "sign": (C4.irrep(2), SPACE.irrep(2)),
}
PAIRS = [("trivial", "regular"), ("regular", "regular"), ("vector", "regular"), ("regular", "vector"),
         ("vector", "vector"), ("sign", "vector"), ("regular", "sign")]  # fmt: skip


def kernels(name_in: str, name_out: str, side: int) -> torch.Tensor:
    """Two fields in, three out, weights drawn by e2cnn."""
    with e2cnn_draw(0):
        type_in = e2cnn_nn.FieldType(SPACE, 2 * [FIELDS[name_in][1]])
        type_out = e2cnn_nn.FieldType(SPACE, 3 * [FIELDS[name_out][1]])
        layer = e2cnn_nn.R2Conv(type_in, type_out, side, padding=side // 2, bias=False)
    filters, _ = layer.expand_parameters()
    return filters.detach()


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize(("name_in", "name_out"), PAIRS)
def test_kernels_of_e2cnn_are_fixed(name_in: str, name_out: str, side: int) -> None:
    P = iw.projector(2 * FIELDS[name_in][0], 3 * FIELDS[name_out][0], kernel=(side, side))
    W = kernels(name_in, name_out, side)
    assert float(W.norm()) > 0
    assert float(P.relative_residual(W)) < 1e-6
    # One entry moved away is seen.
    W[0, 0, 0, 1] += 0.1 * W.norm()
    assert float(P.relative_residual(W)) > 0.01


def test_mirrored_kernels_turn_the_other_way() -> None:
    P = iw.projector(2 * C4.regular(), 3 * C4.regular(), kernel=(3, 3))
    assert float(P.relative_residual(kernels("regular", "regular", 3).flip(-1))) > 0.1
