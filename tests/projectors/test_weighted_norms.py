"""The joint node of many parameters against the terms one by one."""

import pytest
import torch

import intertwine as iw
from intertwine.projectors.blocks_projector import JOINT_LIMIT, BlocksProjector
from intertwine.projectors.methods import orbit_lines
from intertwine.projectors.norms.joint import JointMaps
from intertwine.projectors.norms.weighted_norms import NormTerm, WeightedSquaredNorms, weighted_squared_norms

GROUP = iw.Dihedral(3)
REP = 2 * GROUP.regular() + GROUP.trivial()


def drawn(P: iw.Projector, dtype: torch.dtype, generator: torch.Generator) -> torch.Tensor:
    return torch.randn([n or 1 for n in P.shape], dtype=dtype, generator=generator)


def terms(dtype: torch.dtype = torch.float64) -> list[NormTerm]:
    generator = torch.Generator().manual_seed(0)
    projectors = [iw.projector(REP, REP), iw.projector(REP), iw.projector(REP, GROUP.regular())]
    weights = [drawn(P, dtype, generator).requires_grad_() for P in projectors]
    return [NormTerm(P, W, 0.5 + i, projected=i == 2) for i, (P, W) in enumerate(zip(projectors, weights, strict=True))]


@pytest.fixture(params=["no maps", "all joined", "none small", "some small"])
def maps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> JointMaps | None:
    limit = {"none small": 0, "some small": (REP.dim**2) - 1}.get(request.param, JOINT_LIMIT)
    monkeypatch.setattr(iw.Projector, "joint_entries", property(lambda _: limit))
    return None if request.param == "no maps" else JointMaps()


def test_value_and_gradient_are_those_of_the_terms_one_by_one(maps: JointMaps | None) -> None:
    found = terms()
    tensors = [term.tensor for term in found]
    joint, single = weighted_squared_norms(found, maps), torch.stack([term.value for term in found]).sum()
    assert type(joint.grad_fn).__name__.startswith(WeightedSquaredNorms.__name__)
    torch.testing.assert_close(joint, single)
    for a, b in zip(torch.autograd.grad(3 * joint, tensors), torch.autograd.grad(3 * single, tensors), strict=True):
        torch.testing.assert_close(a, b)


def test_first_and_second_derivatives(maps: JointMaps | None) -> None:
    found = terms()

    def value(*tensors: torch.Tensor) -> torch.Tensor:
        moved = [NormTerm(t.projector, W, t.weight, t.projected) for t, W in zip(found, tensors, strict=True)]
        return weighted_squared_norms(moved, maps)

    tensors = [term.tensor for term in found]
    assert torch.autograd.gradcheck(value, tensors)
    assert torch.autograd.gradgradcheck(value, tensors)


def test_the_last_backward_pass_alone_may_use_up_what_is_kept(maps: JointMaps | None) -> None:
    found = terms()
    tensors = [term.tensor for term in found]
    value = weighted_squared_norms(found, maps)
    first = torch.autograd.grad(value, tensors, retain_graph=True)
    kept = [gradient.clone() for gradient in first]
    for gradient in first:
        gradient.zero_()  # what a caller does with one result leaves the next alone
    value.backward(retain_graph=True)
    value.backward()
    for W, gradient in zip(tensors, kept, strict=True):
        torch.testing.assert_close(W.grad, 2 * gradient)


def test_frozen_parameters_have_no_gradient_and_count_all_the_same(maps: JointMaps | None) -> None:
    found = [*terms(), *terms()]
    found[1].tensor.requires_grad_(False)
    value = weighted_squared_norms(found, maps)
    value.backward()
    assert found[1].tensor.grad is None
    for term in (found[0], found[4]):
        torch.testing.assert_close(term.tensor.grad, 2 * term.weight * term.projector.residual(term.tensor.detach()))
    torch.testing.assert_close(value.detach(), torch.stack([term.value.detach() for term in found]).sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_dtypes_are_added_one_by_one(dtype: torch.dtype) -> None:
    found = [*terms(), *terms(dtype)]
    value = weighted_squared_norms(found)
    torch.testing.assert_close(value, sum(term.value for term in found), check_dtype=False)
    value.backward()
    assert {term.tensor.grad.dtype for term in found if term.tensor.grad is not None} == {torch.float64, dtype}


def test_under_torch_func() -> None:
    found = terms()
    P, W = found[0].projector, found[0].tensor.detach()

    def value(W: torch.Tensor) -> torch.Tensor:
        return weighted_squared_norms([NormTerm(P, W, 0.5), NormTerm(P, 2 * W, 0.5)])

    torch.testing.assert_close(torch.func.grad(value)(W), 5 * P.residual(W))


def test_a_projector_with_a_norm_of_its_own_keeps_it() -> None:
    layer = torch.nn.Linear(3, 3)
    rep = iw.Cyclic(3).regular()
    binding = iw.bind(layer, {"": (rep, rep)})
    entry = binding["weight"]
    found = [NormTerm(entry.projector, layer.weight, 1.0), NormTerm(Doubled(entry.projector), layer.weight, 1.0)]
    torch.testing.assert_close(weighted_squared_norms(found), 3 * entry.projector.squared_residual(layer.weight))


class Doubled(BlocksProjector):
    """Twice the squared residual."""

    def __init__(self, P: iw.Projector) -> None:
        self.__dict__.update(P.__dict__)

    @property
    def has_own_norm(self) -> bool:
        return True

    def _squared_norm(self, W: torch.Tensor, *, projected: bool) -> torch.Tensor:
        return 2 * super()._squared_norm(W, projected=projected)


@pytest.mark.parametrize("copies", [1, 6, 7, 24])
@pytest.mark.parametrize("kernel", [None, (3, 3)])
@pytest.mark.parametrize("signed", [False, True])
def test_copies_that_are_gathered_side_by_side(
    kernel: tuple[int, int] | None, signed: bool, copies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever divides their number, in memory of any layout: the same bits as one at a time."""
    G = iw.Dihedral(4)
    reps = copies * (G.standard() if signed else G.regular()), 2 * G.regular()
    P = iw.projector(*reps, kernel=kernel)
    assert P.method == "orbit"
    W = drawn(P, torch.float64, torch.Generator().manual_seed(0))
    turned = W.transpose(0, 1).contiguous().transpose(0, 1)
    for weight in (W, turned):
        side_by_side = P.residual(weight), shrunk(P, weight)
        with monkeypatch.context() as patch:
            patch.setattr(orbit_lines, "RUN", 1)
            Q = iw.projector(*reps, kernel=kernel)
            assert torch.equal(Q.residual(weight), side_by_side[0])
            assert torch.equal(shrunk(Q, weight), side_by_side[1])


def test_copies_that_lie_apart_in_the_weight_and_side_by_side_in_its_image() -> None:
    G = iw.Dihedral(4)
    P = iw.projector(2 * G.regular(), 6 * G.trivial(), kernel=(3, 3))
    W = drawn(P, torch.float64, torch.Generator().manual_seed(0))
    basis = P.basis().reshape(P.rank, -1)
    kept = (basis.T @ (basis @ W.reshape(-1))).reshape(W.shape)
    torch.testing.assert_close(P.project(W), kept)
    torch.testing.assert_close(P.residual(W), W - kept)
    torch.testing.assert_close(shrunk(P, W), (W + kept) / 2)


def shrunk(P: iw.Projector, W: torch.Tensor) -> torch.Tensor:
    copy = W.clone()
    P.shrink_(copy, 0.5)
    return copy


@pytest.mark.parametrize("kernel", [None, (3, 3)])
@pytest.mark.parametrize("signed", [False, True])
def test_orbits_in_pieces_that_fit_a_cache(
    kernel: tuple[int, int] | None, signed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    G = iw.Dihedral(4)
    rep_out = 5 * (G.standard() if signed else G.regular())
    P = iw.projector(3 * G.regular(), rep_out, kernel=kernel)
    assert P.method == "orbit"
    W = drawn(P, torch.float64, torch.Generator().manual_seed(0))
    whole = P.residual(W)
    in_place = shrunk(P, W)
    monkeypatch.setattr(orbit_lines, "CACHED", W.numel() // 3)
    found = []
    of_piece = orbit_lines.Piece.of

    def counted(self: orbit_lines.Piece, rows: torch.Tensor) -> torch.Tensor:
        found.append(of_piece(self, rows).numel())
        return of_piece(self, rows)

    monkeypatch.setattr(orbit_lines.Piece, "of", counted)
    Q = iw.projector(3 * G.regular(), rep_out, kernel=kernel)
    torch.testing.assert_close(Q.residual(W), whole, rtol=0, atol=0)
    pieces = found[::2]  # each is read, and then written
    assert len(pieces) > 2
    assert sum(pieces) == W.numel()
    torch.testing.assert_close(shrunk(Q, W), in_place, rtol=0, atol=0)
