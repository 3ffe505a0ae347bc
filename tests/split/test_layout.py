"""Moments by coefficient: how large weights are cut into pieces, and what is kept of them."""

import pytest
import torch

import intertwine as iw
from intertwine.split import layout, runs
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
    assert state["exp_avg_-"].numel() <= 1.25 * P.numel
    assert "exp_avg" not in state


def test_pieces_of_a_large_weight_share_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LEAST", 1)
    monkeypatch.setattr(layout, "ENTRIES", 2 * 4 * 64)
    rep = 16 * FINITE
    pieces = layout.pieces_of(iw.projector(rep, rep), torch.Size((64, 64)))
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


def image(pieces: tuple[layout.Piece, ...], W: torch.Tensor) -> torch.Tensor:
    """P W, by way of its coefficients."""
    found = torch.full_like(W, torch.nan)
    for piece in pieces:
        flat = W.view(-1)[piece.entries]
        c = piece.layout.coefficients(piece.layout.gathered(flat))
        piece.layout.write_(c, found.view(-1)[piece.entries])
    return found


BANDS = {
    "along the columns": (lambda: (3 * FINITE, 20 * FINITE), (12, 80), 12 * 4),
    "along the rows": (lambda: (20 * FINITE, FINITE), (80, 4), 4 * 4),
    "of several fields": (lambda: (3 * FINITE, 20 * FINITE + 24 * FINITE.group.trivial()), (12, 104), 12 * 5),
    "with signs": (lambda: (SIGNED, 10 * SIGNED), (12, 120), 12 * 6),
    "of squares": (lambda: (2 * FINITE, 20 * FINITE), (8, 80, 3, 3), 8 * 4 * 9),
}


@pytest.mark.parametrize("name", BANDS)
def test_copies_lie_side_by_side(name: str) -> None:
    """Every row of entries that P treats alike is taken for one entry."""
    reps, shape, rows = BANDS[name]
    out, into = reps()
    P = iw.projector(into, out, kernel=shape[2:] or None)
    (piece,) = pieces = layout.pieces_of(P, torch.Size(shape))
    assert type(piece.layout) is runs.RunLayout
    assert sum(len(bags._constants._cpu["numbers"]) for _, bags in piece.layout._bands) == rows
    assert piece.layout.rank == P.rank
    W = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(image(pieces, W), P.project(W))
    entries = piece.layout.gathered(W.view(-1))
    back = torch.empty_like(W)
    piece.layout.put_back(entries, back.view(-1))
    assert torch.equal(back, W)
    piece.layout.subtract_(entries, piece.layout.coefficients(entries))
    piece.layout.put_back(entries, back.view(-1))
    torch.testing.assert_close(back, P.residual(W))


def test_copies_that_are_mixed_are_sorted() -> None:
    """One field of 64 entries has no copies, and a Fourier basis is no mean of entries."""
    rep = iw.Cyclic(64).regular()
    P = iw.projector(rep, rep)
    (piece,) = pieces = layout.pieces_of(P, torch.Size((64, 64)))
    assert type(piece.layout) is layout.Layout
    W = torch.randn(64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(image(pieces, W), P.project(W))


def test_few_entries_are_set_apart() -> None:
    """Between irreps P makes most entries zero, which take AdamW's step where they lie."""
    P = iw.projector(IRREPS, IRREPS)
    found = layout.sparse_of(P, torch.Size((IRREPS.dim, IRREPS.dim)))
    assert found is not None
    projected = P.project(torch.randn(IRREPS.dim, IRREPS.dim, dtype=torch.float64)).view(-1)
    assert torch.equal(found.places.get("places", projected), projected.nonzero().view(-1))
    assert layout.sparse_of(iw.projector(FINITE, FINITE), torch.Size((4, 4))) is None
