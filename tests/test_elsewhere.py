"""Behaviour of other software that docs/guide/elsewhere.md tells of and that our code or our advice relies on."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

import intertwine as iw
from intertwine.errors import GroupMismatchError, NotOrthogonalError


def test_quarter_turn_is_the_one_of_rot90() -> None:
    """The same element on images, on pixels as a representation, and in torch."""
    group = iw.Cyclic(4)
    x = torch.arange(32, dtype=torch.float64).reshape(1, 2, 4, 4)
    for k, g in enumerate(group.elements()):
        turned = torch.rot90(x, k, (2, 3))
        assert torch.equal(iw.on_grid(2 * group.trivial())(g, x), turned)
        assert torch.equal(group.grid(4, 4).act(g, x.flatten(2)), turned.flatten(2))


def test_hooks_on_children_leave_the_fused_path_and_global_ones_do_not() -> None:
    """Why inner layers are watched by hooks of their own: a global hook would hear of the outermost layer alone."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    heard: list[nn.Module] = []

    def listen(module: nn.Module, *rest: object) -> None:
        heard.append(module)

    with torch.no_grad():
        everywhere = register_module_forward_hook(listen)
        fused = layer(x)
        everywhere.remove()
        assert heard == [layer]
        heard.clear()
        children = [layer.linear1, layer.linear2, layer.norm1, layer.norm2, layer.self_attn, layer.self_attn.out_proj]
        handles = [child.register_forward_hook(listen) for child in children]
        watched = layer(x)
        for handle in handles:
            handle.remove()
    assert set(heard) == set(children[:-1])  # the weight of out_proj is read by a function
    torch.testing.assert_close(watched, fused)


def test_rotations_in_lattice_coordinates_are_refused() -> None:
    """As point group tables hold the threefold axis; the error says what it is in an orthogonal basis."""
    lattice = np.array([[0.0, -1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
    basis = np.array([[1.0, -0.5, 0.0], [0.0, np.sqrt(0.75), 0.0], [0.0, 0.0, 1.0]])
    with pytest.raises(NotOrthogonalError, match=r"-0\.8660254"):
        iw.FiniteGroup([lattice])
    assert iw.FiniteGroup([basis @ lattice @ np.linalg.inv(basis)]).order == 3


@pytest.mark.parametrize("norm", [2.0, 0.5])
def test_matrices_of_quaternions_of_another_norm_are_refused(norm: float) -> None:
    """Where a package turns such a quaternion into a rotation times its norm squared."""
    rep = iw.SO(3).standard()
    with pytest.raises(GroupMismatchError, match="not orthogonal"):
        rep.act(norm**2 * torch.eye(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("keeps", "how"),
    [
        (True, {"align_corners": True}),
        (True, {"align_corners": False, "antialias": True}),
        (False, {"align_corners": True, "antialias": True}),
    ],
)
def test_resizing_with_aligned_corners_and_antialias_breaks_mirrors(keeps: bool, how: dict[str, bool]) -> None:
    x = torch.randn(1, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    resized = [nn.functional.interpolate(image, 8, mode="bilinear", **how) for image in (x, x.flip(3))]
    assert torch.allclose(resized[0].flip(3), resized[1]) == keeps
