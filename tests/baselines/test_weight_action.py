import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.baselines.weight_action import act_on_weight
from tests.baselines.subjects import seeded


def by_matrices(P, g, W):
    """The definition: a matrix on each axis."""
    moved = P.folded(W)
    for axis, rep in enumerate(P.axes):
        if rep is not None:
            moved = torch.tensordot(rep.matrix(g), moved, ([1], [axis])).movedim(0, axis)
    return moved.reshape(W.shape)


O, C4, SO3 = iw.Octahedral(), iw.Cyclic(4), iw.SO(3)
SIGNED = iw.Cyclic(2).permutation([[1, 0, 2]], signs=[[1, 1, -1]])
CASES = {
    "regular": iw.projector(2 * O.regular() + O.trivial(), 3 * O.regular()),
    "signs": iw.projector(2 * SIGNED + iw.Cyclic(2).regular(), SIGNED),
    "irreps": iw.projector(SO3.irreps("2x0 + 1"), SO3.irreps("1 + 2x2")),
    "mixed": iw.projector(O.standard() + O.regular(), O.regular()),
    "kernel": iw.projector(C4.regular(), 2 * C4.regular(), kernel=(3, 3)),
    "bias": iw.projector(C4.regular() + 2 * C4.trivial()),
    "three axes": iw.projector(axes=(C4.regular(), None, 2 * C4.regular()), shape=(4, 5, 8)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_a_matrix_on_each_axis(name):
    P = CASES[name]
    shape = [n or 5 for n in P.shape]
    W = torch.randn(shape, dtype=torch.float64, generator=seeded())
    moves = 0.0
    for g in P.group.sample(6, generator=seeded(1)):
        moved = act_on_weight(P, g, W)
        assert torch.allclose(moved, by_matrices(P, g, W), atol=1e-12)
        moves = max(moves, float((moved - W).norm()))
    assert moves > 0.5


def test_the_other_layout_of_copies():
    e3nn_like = iw.projector(2 * C4.regular(), 2 * C4.regular())
    reversed_layout = iw.representations.Representation(
        C4, (iw.representations.Segment(2, C4.regular().segments[0].field, "ir_mul"),)
    )
    P = iw.projector(2 * C4.regular(), reversed_layout)
    W = torch.randn(8, 8, dtype=torch.float64, generator=seeded())
    g = C4.generators[0]
    assert torch.allclose(act_on_weight(P, g, W), by_matrices(P, g, W), atol=1e-12)
    assert not torch.allclose(act_on_weight(P, g, W), act_on_weight(e3nn_like, g, W))


def test_equivariant_weights_do_not_move():
    for P in CASES.values():
        W = P.project(torch.randn([n or 5 for n in P.shape], dtype=torch.float64, generator=seeded()))
        for g in P.group.sample(3, generator=seeded(1)):
            assert torch.allclose(act_on_weight(P, g, W), W, atol=1e-12)


def test_a_kernel_turns_its_pixels_and_channels():
    conv = nn.Conv2d(1, 4, 3, bias=False)
    P = iw.bind(conv, {"": (C4.trivial(), C4.regular())})["weight"].projector
    moved = act_on_weight(P, C4.generators[0], conv.weight)
    assert torch.allclose(moved, torch.rot90(conv.weight, 1, (-2, -1)).roll(1, 0))
