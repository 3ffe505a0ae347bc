"""Moments by coefficient: how large weights are cut into pieces, and what is kept of them."""

import pytest
import torch

import intertwine as iw
from intertwine.split import layout
from tests.split.cases import FINITE, IRREPS, SIGNED, TURNS, gradients, net


@pytest.mark.parametrize("least", [1, 2**14])
@pytest.mark.parametrize("rep", [FINITE + FINITE.group.trivial(), SIGNED, IRREPS, TURNS], ids=str)
def test_coefficients_have_a_moment_each(rep: iw.Representation, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number an orbit or a diagonal in place of a tensor."""
    monkeypatch.setattr(layout, "LEAST", least)
    model, binding = net(rep, 3 * rep)
    P = binding["0.weight"].projector
    optimizer = iw.SplitAdamW(model.parameters(), binding, strength=1.0)
    gradients(model, 0)
    optimizer.step()
    state = optimizer.state[model[0].weight]
    assert state["exp_avg_+"].numel() == state["exp_avg_sq_+"].numel() == P.rank
    assert state["exp_avg_-"].numel() <= P.numel
    assert "exp_avg" not in state


def test_pieces_of_a_large_weight_share_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LEAST", 1)
    monkeypatch.setattr(layout, "ENTRIES", 2 * 4 * 64)
    rep = 16 * FINITE
    pieces = layout.pieces_of(iw.projector(rep, rep), torch.zeros(64, 64))
    assert len(pieces) == 8
    assert len({id(piece.layout) for piece in pieces}) == 1
    assert pieces[-1].entries.stop == 64 * 64


def test_weights_of_other_strides_and_gradients_take_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LEAST", 1)
    found = []
    for turned in (False, True):
        model, binding = net(FINITE, 2 * FINITE)
        W = model[0].weight
        optimizer = iw.SplitAdamW(model.parameters(), binding, lr=0.1, strength=1.0)
        if turned:
            W.data = W.data.t().contiguous().t()
        for step in range(3):
            gradients(model, step)
            W.grad = W.grad.t().contiguous().t() if turned else W.grad
            optimizer.step()
        found.append(W.detach())
    torch.testing.assert_close(*found)


def test_few_entries_are_looked_up_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between irreps P makes most entries zero, which nothing moves."""
    monkeypatch.setattr(layout, "LEAST", 1)
    for rep, kind in ((IRREPS, layout.SparseLayout), (FINITE, layout.Layout)):
        (piece,) = layout.pieces_of(iw.projector(rep, rep), torch.zeros(rep.dim, rep.dim))
        assert type(piece.layout) is kind
        W = torch.randn(rep.dim**2, generator=torch.Generator().manual_seed(0))
        c = piece.layout.coefficients(piece.layout.gathered(W))
        found = torch.empty_like(W)
        piece.layout.put_back(piece.layout.expanded(c), found)
        torch.testing.assert_close(found.view(rep.dim, rep.dim), iw.projector(rep, rep).project(W.view(rep.dim, -1)))
