"""With escnn's sampled kernels as ``kernel_basis`` our penalty is the reference method's dense computation."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.projectors.kernels.steerable import Rings
from intertwine.representations.pixels import pixel_positions

RECORD = Path(__file__).parents[1] / "data" / "escnn_kernels.npz"
# escnn's defaults in 1.0.11: r2convolution.py and r3convolution.py, compute_basis_params.
ESCNN_RINGS = {
    3: Rings((0.0, 1.0), (0.005, 0.4), (0, 2)),
    5: Rings((0.0, 1.0, 2.0), (0.005, 0.6, 0.4), (0, 2, 2)),
    7: Rings((0.0, 1.0, 2.0, 3.0), (0.005, 0.6, 0.6, 0.4), (0, 2, 3, 2)),
}
GROUPS = {"SO2": iw.SO(2), "C8": iw.Cyclic(8), "SO3": iw.SO(3)}
# The record is float32.
RECORDED = 2e-6


def recorded() -> list[str]:
    with np.load(RECORD) as record:
        return [name for name in record if name != "header"]


def load(name: str) -> tuple[iw.Representation, iw.Representation, np.ndarray]:
    """``(rep_in, rep_out, kernels)`` of one entry, kernels in float64."""
    group_name, pair, _ = name.split("/")
    group = GROUPS[group_name]
    with np.load(RECORD) as record:
        kernels = record[name].astype(np.float64)
    if "regular" in pair:
        return group.regular(), group.regular(), kernels
    label_in, label_out = pair.split("-")
    return group.irrep(label_in), group.irrep(label_out), kernels


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def dense_basis(kernels: np.ndarray, mul_out: int, mul_in: int) -> np.ndarray:
    """The flat N x D basis of the whole layer, a column for each kernel in each pair of copies, orthonormal by QR."""
    n, d_out, d_in, *sides = kernels.shape
    flat = np.zeros((mul_out, mul_in, n, mul_out, d_out, mul_in, d_in, *sides))
    for out in range(mul_out):
        for in_ in range(mul_in):
            flat[out, in_, :, out, :, in_] = kernels
    return np.linalg.qr(flat.reshape(mul_out * mul_in * n, -1).T)[0]


@pytest.mark.parametrize(
    "name", [name for name in recorded() if name.endswith("/3") or name[:3] + name[-2:] == "SO2/5"]
)
def test_penalty_is_the_dense_computation(name: str) -> None:
    rep_in, rep_out, kernels = load(name)
    sides = kernels.shape[3:]
    layer = (torch.nn.Conv2d if len(sides) == 2 else torch.nn.Conv3d)(
        2 * rep_in.dim, 3 * rep_out.dim, sides[0], bias=False, dtype=torch.float64
    )
    with torch.no_grad():
        layer.weight.copy_(randn(*layer.weight.shape))
    binding = iw.bind(layer, {"": iw.Typed(2 * rep_in, 3 * rep_out, kernel_basis=kernels)})
    Q = dense_basis(kernels, 3, 2)
    W = layer.weight.detach().numpy().reshape(-1)
    residual = W - Q @ (Q.T @ W)
    strength = 0.7
    penalty = binding.penalty(strength=strength)
    assert penalty.item() == pytest.approx(strength / 2 * residual @ residual, rel=1e-10)
    penalty.backward()
    assert layer.weight.grad is not None
    np.testing.assert_allclose(layer.weight.grad.reshape(-1), strength * residual, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", recorded())
def test_escnn_spans_what_our_kernels_span_on_its_rings(name: str) -> None:
    """An independent implementation of sampled steerable kernels agrees: same rank, same projector."""
    rep_in, rep_out, kernels = load(name)
    kernel = kernels.shape[3:]
    ours = iw.projector(rep_in, rep_out, kernel=kernel, rings=ESCNN_RINGS[kernel[0]])
    theirs = iw.projector(rep_in, rep_out, kernel=kernel, kernel_basis=kernels)
    assert ours.rank == theirs.rank == len(kernels)
    W = randn(*ours.shape)
    torch.testing.assert_close(ours.project(W), theirs.project(W), rtol=0, atol=RECORDED * float(W.norm()))


def test_a_wrong_axis_of_space_would_be_seen() -> None:
    """The comparison can fail: kernels that are flipped, as escnn's own third axis is, span another space."""
    rep_in, rep_out, kernels = load("SO3/0-1/3")
    ours = iw.projector(rep_in, rep_out, kernel=(3, 3, 3), rings=ESCNN_RINGS[3])
    theirs = iw.projector(rep_in, rep_out, kernel=(3, 3, 3), kernel_basis=kernels[:, :, :, ::-1].copy())
    W = randn(*ours.shape)
    assert float((ours.project(W) - theirs.project(W)).norm() / ours.project(W).norm()) > 0.1


def test_the_record_says_where_it_comes_from() -> None:
    with np.load(RECORD) as record:
        header = json.loads(str(record["header"]))
        np.testing.assert_allclose(  # a vector field out of a scalar points away from the centre
            np.cross(record["SO3/0-1/3"][0, :, 0].reshape(3, -1).T, pixel_positions((3, 3, 3))), 0, atol=1e-6
        )
    assert header["escnn"] == "1.0.11"
