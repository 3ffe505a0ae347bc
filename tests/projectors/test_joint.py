"""Many small weights in one gather against each projector by itself, and the components that it rests on."""

import copy
import gc
import pickle
import warnings
import weakref

import numpy as np
import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.projectors.blocks_projector import BlocksProjector
from intertwine.projectors.methods.components import Components, basis_components, orbit_components
from intertwine.projectors.norms.joint import JointMap, JointMaps, is_joinable
from tests.laws.registry import CASES, Case


def built(case: Case) -> list[iw.Projector]:
    """Of a weight and of the biases on both sides."""
    rep_in, rep_out = case.build()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        return [iw.projector(rep_in, rep_out), iw.projector(rep_out), iw.projector(rep_in)]


def kernels() -> list[iw.Projector]:
    C4, D4, O, SO2, SO3 = iw.Cyclic(4), iw.Dihedral(4), iw.Octahedral(), iw.SO(2), iw.SO(3)
    return [
        iw.projector(2 * C4.regular(), C4.regular() + C4.trivial(), kernel=(3, 3)),
        iw.projector(D4.irreps("1 + 0-"), D4.regular(), kernel=(3, 3)),
        iw.projector(O.regular(), O.trivial() + O.standard(), kernel=(3, 3, 3)),
        iw.projector(SO2.irreps("2x0 + 1 + 2"), SO2.irreps("0 + 2x1"), kernel=(5, 5)),
        iw.projector(SO3.irreps("0 + 1"), SO3.irreps("0 + 1 + 2"), kernel=(3, 3, 3)),
        iw.projector(axes=(SO3.irreps("1"), SO3.irreps("2x1"), SO3.irreps("1"))),
        iw.projector(axes=(None, C4.regular(), None)),
    ]


def drawn(P: iw.Projector, seed: int, dtype: torch.dtype) -> torch.Tensor:
    shape = [2 if n is None else n for n in P.shape]
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def check(projectors: list[iw.Projector], dtype: torch.dtype, tolerance: float) -> None:
    weights = [drawn(P, seed, dtype) for seed, P in enumerate(projectors)]
    before = [W.clone() for W in weights]
    together = JointMap(projectors, [W.shape for W in weights])
    for image, expected in (
        (together.residuals(weights), [P.residual(W) for P, W in zip(projectors, weights, strict=True)]),
        (together.projections(weights), [P.project(W) for P, W in zip(projectors, weights, strict=True)]),
    ):
        for part, one in zip(together.split(image), expected, strict=True):
            assert part.shape == one.shape
            assert part.dtype == dtype
            torch.testing.assert_close(part, one, rtol=tolerance, atol=tolerance)
        total = sum(float(one.abs().square().sum()) for one in expected)
        assert float(image.abs().square().sum()) == pytest.approx(total, rel=100 * tolerance, abs=1e-20)
    for W, old in zip(weights, before, strict=True):
        assert torch.equal(W, old)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_is_each_projector_by_itself(case: Case) -> None:
    projectors = built(case)
    kind = torch.complex128 if any(rep.is_complex for rep in case.build()) else torch.float64
    assert all(is_joinable(P, drawn(P, 0, kind)) for P in projectors)
    check(projectors, kind, 1e-10)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-6), (torch.complex64, 2e-6)]
)
def test_kernels_free_axes_and_three_axes_of_several_groups(dtype: torch.dtype, tolerance: float) -> None:
    check(kernels(), dtype, tolerance)


def test_complex_representations() -> None:
    turn = torch.polar(torch.ones(1, dtype=torch.float64), torch.full((1,), 2 * torch.pi / 3, dtype=torch.float64))
    G = iw.Cyclic(3)
    mixed = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.complex128))[0]
    rep = G.representation((mixed @ torch.diag(torch.cat([turn, turn.conj(), turn])) @ mixed.mH)[None])
    P = iw.projector(rep, rep)
    assert P.basis().imag.abs().max() > 0.1
    check([P, P, iw.projector(rep + G.trivial())], torch.complex128, 1e-10)


def test_weights_of_any_strides() -> None:
    P = kernels()[0]
    W = drawn(P, 0, torch.float64).to(memory_format=torch.channels_last)
    together = JointMap([P], [W.shape])
    torch.testing.assert_close(together.split(together.residuals([W]))[0], P.residual(W))


def test_large_weights_half_precision_and_averages_are_left_to_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    P = iw.projector(iw.Cyclic(4).regular(), iw.Cyclic(4).regular())
    W = torch.zeros(4, 4)
    assert is_joinable(P, W)
    assert not is_joinable(P, W.bfloat16())
    monkeypatch.setattr(BlocksProjector, "joint_entries", property(lambda _: 15))
    assert not is_joinable(P, W)
    monkeypatch.undo()
    averaged = iw.projector(axes=(iw.Symmetric(5).irrep("[3,2]"),) * 5)
    assert averaged.components is None
    assert not is_joinable(averaged, torch.zeros(averaged.shape))


def test_maps_are_kept_and_told_apart() -> None:
    P, Q = kernels()[:2]
    V, W = drawn(P, 0, torch.float64), drawn(Q, 1, torch.float64)
    maps = JointMaps()
    assert maps.get([P, Q], [V, W]) is maps.get([P, Q], [V, W])
    assert maps.get([P, Q], [V, W]) is not maps.get([Q, P], [W, V])
    with pytest.raises(iw.errors.ShapeError, match="W: expected shape"):
        maps.get([P], [W])
    free = iw.projector(axes=(None, iw.Cyclic(4).regular()))
    for length in (2, 3):
        X = torch.arange(4.0 * length).reshape(length, 4)
        one = maps.get([free], [X])
        torch.testing.assert_close(one.split(one.residuals([X]))[0], free.residual(X))
    for number in range(2 * JointMaps.MOST):
        maps.get([iw.projector(axes=(None, iw.Cyclic(4).regular()))], [torch.zeros(number + 1, 4)])
    assert len(maps._maps) == JointMaps.MOST
    for other in (copy.deepcopy(maps), pickle.loads(pickle.dumps(maps))):
        assert not other._maps


def test_components_partition_what_p_does_not_annul() -> None:
    basis = np.zeros((3, 7))
    basis[0, [0, 2]] = np.sqrt(0.5)
    basis[1, [1, 4]] = 0.6, 0.8
    basis[2, 5] = 1.0
    found = {tuple(c.entries[:, 0]): c for c in basis_components(basis)}
    assert set(found) == {(0, 2), (1, 4), (5,)}
    assert found[(5,)].is_identity
    np.testing.assert_allclose(found[(1, 4)].basis[:, 0], [0.6, 0.8])


def test_orbits_of_one_length_and_pattern_are_one_matrix() -> None:
    labels = np.array([0, 1, 0, 1, 2, 3, 3, 4, 4])
    signs = np.array([1, 1, 1, 1, 1, 1, -1, 0, 0])
    found: list[Components] = sorted(orbit_components(labels, signs), key=lambda c: c.entries.tolist())
    assert [c.entries.tolist() for c in found] == [[[0, 1], [2, 3]], [[4]], [[5], [6]]]
    np.testing.assert_allclose(found[2].basis[:, 0], [np.sqrt(0.5), -np.sqrt(0.5)])
    assert list(orbit_components(np.array([0, 0]), np.array([0, 0]))) == []


def test_penalty_and_decay_share_their_maps() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
    R = iw.Cyclic(4).regular()
    binding = iw.bind(model, {"0": (2 * R, 2 * R), "1": (2 * R, R)})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=0.5)
    model(torch.ones(1, 8)).sum().backward()
    optimizer.step()
    (of_the_decay,) = binding.joint_maps._maps.values()
    binding.penalty()
    assert list(binding.joint_maps._maps.values()) == [of_the_decay]


def test_maps_keep_what_they_are_told_apart_by() -> None:
    """Another projector that took the place in memory of one that is gone would get its map."""
    maps, W = JointMaps(), torch.zeros(4, 4)
    P = iw.projector(iw.Cyclic(4).regular(), iw.Cyclic(4).regular())
    maps.get([P], [W])
    alive = weakref.ref(P)
    del P
    gc.collect()
    assert alive() is not None
