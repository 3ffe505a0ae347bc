"""The action on images: a homomorphism, torch's own turns, and the pixels of ``G.grid``."""

import pytest
import torch

import intertwine as iw
from tests.binding.cases import seeded

D4 = iw.Dihedral(4)


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(), dtype=torch.float64)


def test_a_quarter_turn_is_rot90() -> None:
    act, x = iw.on_grid(iw.Cyclic(4).irreps("1")), randn(2, 2, 5, 5)
    turn = iw.Cyclic(4).generators[0]
    expected = torch.rot90(torch.stack([-x[:, 1], x[:, 0]], 1), 1, (-2, -1))
    torch.testing.assert_close(act(turn, x), expected, rtol=0, atol=1e-12)
    volume = randn(1, 24, 4, 4, 4)
    G = iw.Octahedral()
    about_z = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(
        iw.on_grid(24 * G.trivial())(about_z, volume), torch.rot90(volume, 1, (-2, -1)), rtol=0, atol=0
    )


@pytest.mark.parametrize(
    ("rep", "sides"),
    [
        (D4.regular() + D4.irreps("1"), (4, 4)),
        (iw.Cyclic(2).regular(), (3, 4)),
        (iw.Octahedral(reflections=True).irreps("T1u + A2g"), (3, 3, 3)),
        (iw.Tetrahedral().irreps("T"), (2, 2, 2)),
    ],
    ids=str,
)
def test_the_same_as_the_grid_representation(rep: iw.Representation, sides: tuple[int, ...]) -> None:
    whole = rep.tensor(rep.group.grid(*sides))
    act, x = iw.on_grid(rep), randn(3, rep.dim, *sides)
    for g in rep.group.elements():
        expected = whole.act(g, x.flatten(1)).reshape(x.shape)
        torch.testing.assert_close(act(g, x), expected, rtol=0, atol=1e-12)


def test_products_of_elements() -> None:
    act, x = iw.on_grid(D4.regular() + D4.irreps("1")), randn(2, 10, 3, 3)
    for g in D4.elements():
        for h in D4.elements():
            torch.testing.assert_close(act(g, act(h, x)), act(g @ h, x), rtol=0, atol=1e-12)


def test_one_mirror_and_time() -> None:
    G = iw.Cyclic(2)
    mirror = iw.on_grid(3 * G.trivial(), space=G.irrep(1) + G.trivial())
    x = randn(1, 3, 4, 6)
    torch.testing.assert_close(mirror(G.generators[0], x), x.flip(-1), rtol=0, atol=0)
    time = iw.on_grid(iw.SO(3).irreps("1"), space=iw.SO(3).trivial())
    g = iw.SO(3).sample(1, generator=seeded())[0]
    signal = randn(2, 3, 7)
    torch.testing.assert_close(time(g, signal), torch.einsum("ij,njt->nit", g, signal), rtol=0, atol=1e-12)


def test_measuring_a_network() -> None:
    act = iw.on_grid(D4.regular())
    x = randn(2, 8, 7, 7)
    pool = torch.nn.AdaptiveAvgPool2d(1)
    error = iw.equivariance_error(lambda y: pool(y).flatten(1), act, D4.regular(), x)
    assert error.absolute_worst < 1e-12
    assert error.exact
    assert error.num_elements == 8
    ramp = torch.linspace(0, 1, 7, dtype=torch.float64)
    assert float(iw.equivariance_error(lambda y: y + ramp, act, act, x)) > 0.1
    iw.testing.assert_equivariant(torch.relu, act, act, x)


def test_rectangles_turn_into_others() -> None:
    """A quarter turn makes 29 x 33 pixels 33 x 29; invariant outputs and grids that turn along are measured."""
    G = iw.Cyclic(4)
    act = iw.on_grid(2 * G.regular())
    x = randn(2, 3, 29, 33)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 5),
    ).double()
    invariant = 5 * G.trivial()
    iw.bind(model, {"0": (3 * G.trivial(), 2 * G.regular()), "4": (2 * G.regular(), invariant)}).project_()
    own = max(float((model(torch.rot90(x, k, (2, 3))) - model(x)).detach().norm()) for k in range(4))
    error = iw.equivariance_error(model, iw.on_grid(3 * G.trivial()), invariant, x)
    assert own < 1e-12
    assert float(error) < 1e-12
    assert float(iw.equivariance_error(model[:2], iw.on_grid(3 * G.trivial()), act, x)) < 1e-12
    with torch.no_grad():
        model[0].weight[0, 0, 0] += 1
    assert float(iw.equivariance_error(model, iw.on_grid(3 * G.trivial()), invariant, x)) > 1e-3
    # 28 pixels: the last column is not reached.
    model[0].weight.data.copy_(
        iw.projector(3 * G.trivial(), 2 * G.regular(), kernel=(3, 3)).project(model[0].weight.data)
    )
    assert float(iw.equivariance_error(model[:2], iw.on_grid(3 * G.trivial()), act, x[..., :28, :])) > 1e-3


def test_values() -> None:
    act = iw.on_grid(D4.regular())
    assert act == iw.on_grid(D4.regular())
    assert hash(act) == hash(iw.on_grid(D4.regular()))
    assert act.group == D4
    assert repr(act) == "on_grid(regular)"


def test_refusals() -> None:
    act = iw.on_grid(D4.regular())
    with pytest.raises(
        iw.errors.ShapeError, match=r"function: expected .*\(1, 8, 3, 2\); got \(1, 8, 2, 3\)\. An output that"
    ):
        iw.equivariance_error(torch.nn.AdaptiveAvgPool2d((2, 3)), act, act, randn(1, 8, 5, 5))
    with pytest.raises(iw.errors.ShapeError, match=r"x: expected \(batch, 8, \*pixels\)"):
        iw.equivariance_error(torch.relu, act, act, randn(1, 7, 5, 5))
    with pytest.raises(iw.errors.ShapeError, match=r"the output of function: .*takes the representation itself"):
        iw.equivariance_error(lambda x: x.mean((-1, -2)), act, act, randn(1, 8, 5, 5))
    with pytest.raises(iw.errors.GroupMismatchError, match="space: expected a representation of D4, as rep is"):
        iw.on_grid(D4.regular(), iw.Cyclic(4).standard())
    with pytest.raises(iw.errors.GroupMismatchError, match="rep_out: expected a representation of D4"):
        iw.equivariance_error(torch.relu, act, iw.on_grid(iw.Cyclic(4).regular()), randn(1, 8, 5, 5))
    turning = iw.on_grid(iw.SO(2).irreps("4x0"))
    with pytest.raises(iw.errors.ArgumentError, match="maps pixels onto pixels"):
        iw.equivariance_error(torch.relu, turning, turning, randn(1, 4, 5, 5))
    waves = iw.on_grid(iw.Cyclic(3).regular(), space=iw.Cyclic(3).trivial())
    assert waves(iw.Cyclic(3).generators[0], randn(1, 3, 4)).shape == (1, 3, 4)
