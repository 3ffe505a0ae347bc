"""The pictures show the real arrays."""

import sys

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.diagnostics import plot_chain, plot_kernel
from intertwine.errors import ArgumentError, MissingExtraError, ShapeError

pytest.importorskip("matplotlib")


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def images(figure):
    """What the panels show, in three stacks: W, P W, W - P W."""
    shown = [[np.asarray(axes.images[0].get_array()) for axes in sub.axes] for sub in figure.subfigs]
    return [np.stack(panels) for panels in shown]


def test_a_plane_kernel_beside_its_parts():
    G = iw.SO(2)
    P = iw.projector(G.irreps("2x0 + 1"), G.irreps("3x1"), kernel=(5, 5))
    W = randn(6, 4, 5, 5)
    figure = plot_kernel(P, W, out=2, in_=2)
    parts = images(figure)
    for shown, part in zip(parts, (W, P.project(W), P.residual(W)), strict=True):
        np.testing.assert_array_equal(shown, part[4:6, 2:4].reshape(4, 5, 5))
    np.testing.assert_allclose(parts[1] + parts[2], parts[0], atol=1e-12)
    limits = {axes.images[0].get_clim() for axes in figure.axes}
    assert limits == {(-np.abs(np.stack(parts)).max(), np.abs(np.stack(parts)).max())}
    kept = P.project(W)[4:6, 2:4].square().sum() / W[4:6, 2:4].square().sum()
    titles = [sub._suptitle.get_text() for sub in figure.subfigs]
    assert titles == ["W  100.0%", f"P W  {kept:.1%}", f"W - P W  {1 - kept:.1%}"]
    assert figure.get_suptitle() == "SO(2): input field 2 (1) to output field 2 (1)"


def test_the_middle_slice_in_space_and_a_line_in_one_dimension():
    G = iw.SO(3)
    P = iw.projector(G.irreps("0 + 1"), G.irreps("0 + 2"), kernel=(3, 3, 3))
    W = randn(6, 4, 3, 3, 3).float()
    shown = images(plot_kernel(P, W, out=1, in_=1))
    assert [len(part) for part in shown] == [15, 15, 15]
    np.testing.assert_allclose(shown[1], P.project(W)[1:, 1:, 1].reshape(15, 3, 3))
    mirror = iw.Cyclic(2)
    Q = iw.projector(mirror.regular(), mirror.trivial(), kernel=(5,), space=mirror.irrep(1))
    assert images(plot_kernel(Q, randn(1, 2, 5)))[0].shape == (2, 1, 5)


def test_copies_that_lie_innermost():
    G = iw.SO(2)
    rep = iw.Representation(G, tuple(type(s)(s.mul, s.field, "ir_mul") for s in G.irreps("3x1").segments))
    P = iw.projector(rep, rep, kernel=(3, 3))
    W = randn(6, 6, 3, 3)
    shown = images(plot_kernel(P, W, out=1, in_=2))
    np.testing.assert_array_equal(shown[0], W[1::3, 2::3].reshape(4, 3, 3))


def test_a_zero_kernel_is_white():
    G = iw.SO(2)
    P = iw.projector(G.irrep(0), G.irrep(0), kernel=(3, 3))
    figure = plot_kernel(P, torch.zeros(1, 1, 3, 3))
    assert [sub._suptitle.get_text() for sub in figure.subfigs][1] == "P W  0.0%"
    assert figure.axes[0].images[0].get_clim() == (-1.0, 1.0)


def test_a_chain_is_two_stacked_bars():
    chain = [
        iw.projector(2 * G.trivial(), 8 * G.trivial(), kernel=(5, 5))
        for G in (iw.Dihedral(4), iw.Cyclic(4), iw.Cyclic(2))
    ]
    W = randn(8, 2, 5, 5)
    W = W + 2 * chain[1].project(W)
    (axes,) = plot_chain(chain, W).axes
    split = iw.chain_split(W, chain)
    heights = [[bar.get_height() for bar in container] for container in axes.containers]
    np.testing.assert_allclose(heights, list(zip(split.shares, split.chance, strict=True)))
    np.testing.assert_allclose(np.sum(heights, axis=0), 1)
    starts = [container[0].get_y() for container in axes.containers]
    np.testing.assert_allclose(starts, np.cumsum([0, *split.shares[:-1]]))
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["not C2", "C2, not C4", "C4, not D4", "D4"]


def test_what_cannot_be_drawn_is_named():
    G = iw.SO(2)
    P = iw.projector(G.irreps("2x0"), G.irreps("1"), kernel=(3, 3))
    W = randn(2, 2, 3, 3)
    with pytest.raises(ArgumentError, match=r"in_: expected a field of .*, from 0 to 1; got 2"):
        plot_kernel(P, W, in_=2)
    with pytest.raises(ArgumentError, match="P: expected a projector of kernels"):
        plot_kernel(iw.projector(G.irrep(1), G.irrep(1)), W)
    with pytest.raises(ShapeError, match="W: expected shape"):
        plot_kernel(P, randn(3, 2, 3, 3))
    large = iw.Cyclic(24).regular()
    with pytest.raises(ArgumentError, match="at most 400 pairs of channels; got 24 x 24"):
        plot_kernel(iw.projector(large, large, kernel=(1, 1)), randn(24, 24, 1, 1))


@pytest.mark.parametrize("draw", [plot_kernel, lambda P, W: plot_chain([P], W)])
def test_without_matplotlib(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    G = iw.Cyclic(4)
    with pytest.raises(MissingExtraError, match="matplotlib"):
        draw(iw.projector(G.trivial(), G.trivial(), kernel=(3, 3)), randn(1, 1, 3, 3))
