import math

import pytest
import torch

import intertwine as iw
from intertwine.groups.element_text import action_text, element_text, space_text


def turn(angle, axis=None):
    c, s = math.cos(angle), math.sin(angle)
    plane = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    if axis is None:
        return plane
    g = torch.eye(3, dtype=torch.float64)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    g[[[i], [j]], [i, j]] = plane
    return g


@pytest.mark.parametrize(
    ("g", "text"),
    [
        (torch.eye(3), "the identity"),
        (turn(math.pi / 2), "turn by 90 degrees"),
        (turn(-0.5), f"turn by {360 - math.degrees(0.5):.2f} degrees"),
        (torch.diag(torch.tensor([1.0, -1.0])), "mirror y -> -y"),
        (torch.diag(torch.tensor([-1.0, 1.0])), "mirror x -> -x"),
        (turn(math.pi / 3, "z"), "turn by 60 degrees about (0, 0, 1)"),
        (turn(-math.pi / 3, "y"), "turn by 60 degrees about (0, -1, 0)"),
        (turn(math.pi, "x"), "turn by 180 degrees about (1, 0, 0)"),
        (-torch.eye(3), "the inversion"),
        (-torch.eye(1), "mirror x -> -x"),
        (torch.tensor([[0.0, 1.0], [1.0, 0.0]]), "mirror in the line at 45 degrees"),
        (torch.diag(torch.tensor([1.0, -1.0, 1.0])), "mirror y -> -y"),
        (
            torch.tensor([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
            "mirror in the plane across (0.707, 0.707, 0)",
        ),
        (torch.eye(5).roll(2, 0), "shift by 2"),
        (torch.diag(torch.tensor([1.0, -1.0, 1.0, -1.0])), "signs of 1, 3"),
        (torch.eye(4)[[1, 0, 2, 3]] * torch.tensor([-1.0, -1.0, 1.0, 1.0]), "permutation (0 1), signs of 0, 1"),
        (-turn(math.pi / 2, "z"), "inversion and turn by 90 degrees about (0, 0, 1)"),
        (torch.eye(5)[[1, 2, 0, 4, 3]].T, "permutation (0 1 2)(3 4)"),
        (2 * torch.eye(2), "[[2.0, 0.0], [0.0, 2.0]]"),
        (2 * torch.eye(9), "a 9 x 9 matrix"),
    ],
)
def test_elements_in_words(g, text):
    assert element_text(g) == text


@pytest.mark.parametrize(
    "group",
    [iw.Dihedral(6), iw.Octahedral(reflections=True), iw.Symmetric(4), iw.Mirror("y"), iw.Cyclic(4) * iw.Mirror()],
)
def test_every_element_has_its_own_words(group):
    texts = [element_text(g, group) for g in group.elements()]
    assert len(set(texts)) == group.order


def test_pairs_are_named_part_by_part():
    group = iw.Cyclic(4) * iw.Mirror("x")
    assert [element_text(g, group) for g in group.generators] == [
        "(turn by 90 degrees, the identity)",
        "(the identity, mirror x -> -x)",
    ]


def test_what_an_element_does_is_said_of_what_it_acts_on():
    """``Cyclic(2)`` has one matrix, -1, for a half turn, a mirror of joints and a shift by half a period."""
    G = iw.Cyclic(2)
    g = G.generators[0]
    legs = G.permutation([[3, 4, 5, 0, 1, 2]], signs=[[-1, 1, 1, -1, 1, 1]])
    assert action_text(g, G.standard()) == action_text(g, 2 * G.regular()) == "turn by 180 degrees"
    assert action_text(g, 2 * legs) == "permutation (0 3)(1 4)(2 5), signs of 0, 3"
    assert action_text(g, G.permutation([[0, 1]], signs=[[-1, -1]])) == "all signs"
    assert action_text(iw.torus(6).group.generators[0], iw.torus(6)) == "shift by (1)"


@pytest.mark.parametrize(
    ("space", "text"),
    [
        (iw.Mirror("x").standard(), "mirror x -> -x"),
        (iw.Cyclic(2).irreps("1 + 0"), "mirror x -> -x"),
        (iw.Cyclic(2).standard(), "turn by 180 degrees"),
        (iw.Dihedral(2).standard(), "turn by 180 degrees, mirror y -> -y"),
        (iw.O(2).standard(), "turns of O(2), mirror y -> -y"),
        (3 * iw.SO(3).trivial(), "stays as it is"),
    ],
    ids=str,
)
def test_how_space_moves(space, text):
    assert space_text(space) == text


def test_a_cycle_of_axes_is_a_turn_in_groups_that_turn_space_and_a_shift_of_points_in_others() -> None:
    cycle, swap = torch.eye(3)[[2, 0, 1]], torch.eye(3)[[1, 0, 2]]
    for group in (iw.Tetrahedral(), iw.SO(3), iw.O(3), iw.Octahedral(reflections=True)):
        assert element_text(cycle, group) == "turn by 120 degrees about (0.577, 0.577, 0.577)"
    assert element_text(swap, iw.O(3)) == "mirror in the plane across (0.707, -0.707, 0)"
    assert (element_text(cycle, iw.Symmetric(3)), element_text(cycle)) == ("shift by 1", "shift by 1")
