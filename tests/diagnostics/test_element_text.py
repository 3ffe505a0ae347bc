import math

import pytest
import torch

import intertwine as iw
from intertwine.diagnostics.element_text import element_text


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
        (torch.diag(torch.tensor([1.0, -1.0])), "mirror in the line at 0 degrees"),
        (torch.diag(torch.tensor([-1.0, 1.0])), "mirror in the line at 90 degrees"),
        (turn(math.pi / 3, "z"), "turn by 60 degrees about (0, 0, 1)"),
        (turn(-math.pi / 3, "y"), "turn by 60 degrees about (0, -1, 0)"),
        (turn(math.pi, "x"), "turn by 180 degrees about (1, 0, 0)"),
        (-torch.eye(3), "the inversion"),
        (-turn(math.pi / 2, "z"), "inversion and turn by 90 degrees about (0, 0, 1)"),
        (torch.eye(5)[[1, 2, 0, 4, 3]].T, "permutation (0 1 2)(3 4)"),
        (2 * torch.eye(2), "[[2.0, 0.0], [0.0, 2.0]]"),
        (2 * torch.eye(9), "a 9 x 9 matrix"),
    ],
)
def test_elements_in_words(g, text):
    assert element_text(g) == text


@pytest.mark.parametrize("group", [iw.Dihedral(6), iw.Octahedral(reflections=True), iw.Symmetric(4)])
def test_every_element_has_its_own_words(group):
    texts = [element_text(g) for g in group.elements()]
    assert len(set(texts)) == group.order
