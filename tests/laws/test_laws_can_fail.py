"""Each law fails on a deliberately broken projector or representation: a test that cannot fail proves nothing."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine import _numerics
from intertwine.projectors.autograd import LinearMap
from tests.laws import kinds
from tests.laws import test_autocast_laws as autocast_laws
from tests.laws import test_forward_mode_laws as forward_laws
from tests.laws import test_penalty_and_decay_laws as decay_laws
from tests.laws import test_projector_laws as laws
from tests.laws import test_scale_laws as scale_laws
from tests.laws.registry import CASES, Case

BY_NAME = {case.name: case for case in CASES}


def broken(P: iw.Projector, **changes: object) -> iw.Projector:
    """A copy of P with methods or properties replaced."""
    kind = type(
        "BrokenProjector",
        (type(P),),
        {k: property(v) if k == "rank" else staticmethod(v) for k, v in changes.items()},
    )
    twin = copy.copy(P)
    twin.__class__ = kind
    return twin


def shrunk(P: iw.Projector) -> iw.Projector:
    return broken(P, project=lambda W: 0.9 * P.project(W))


def oblique(P: iw.Projector) -> iw.Projector:
    """Idempotent and onto the right space, but along a slanted direction."""

    def project(W: torch.Tensor) -> torch.Tensor:
        image = P.project(W)
        direction = P.project(torch.ones_like(W))
        return image + 0.1 * P.residual(W).flatten()[0] * direction

    return broken(P, project=project)


def nothing_removed(P: iw.Projector) -> iw.Projector:
    return broken(P, project=lambda W: W.clone())


def everything_removed(P: iw.Projector) -> iw.Projector:
    return broken(P, project=torch.zeros_like)


def trace_only(P: iw.Projector) -> iw.Projector:
    """The classic mistake: for irreps of complex type the commutant's second element is forgotten."""

    def project(W: torch.Tensor) -> torch.Tensor:
        out = P.project(W)
        for i in range(0, W.shape[0] - 1, 2):
            for j in range(0, W.shape[1] - 1, 2):
                off = (out[i, j + 1] - out[i + 1, j]) / 2
                out[i, j + 1] -= off
                out[i + 1, j] += off
        return out

    return broken(P, project=project)


def wrong_rank(P: iw.Projector) -> iw.Projector:
    return broken(P, rank=lambda self: P.rank + 1)


def residual_is_w(P: iw.Projector) -> iw.Projector:
    return broken(P, residual=lambda W: W.clone())


def half_penalty(P: iw.Projector) -> iw.Projector:
    return broken(P, squared_residual=lambda W: P.squared_residual(W) / 2)


def detached_penalty(P: iw.Projector) -> iw.Projector:
    return broken(P, squared_residual=lambda W: P.squared_residual(W.detach()) + 0 * W.sum())


def float32_inside(P: iw.Projector) -> iw.Projector:
    return broken(P, project=lambda W: P.project(W.float()).to(W.dtype))


def doubled_basis(P: iw.Projector) -> iw.Projector:
    return broken(P, basis=lambda: 2 * P.basis())


def real_part_only(P: iw.Projector) -> iw.Projector:
    return broken(
        P, project=lambda W: torch.complex(P.project(W.real), W.imag.clone()) if W.is_complex() else P.project(W)
    )


def coarse_float32(P: iw.Projector) -> iw.Projector:
    """Accumulates float32 in bfloat16."""
    return broken(P, project=lambda W: P.project(W.bfloat16()).float() if W.dtype == torch.float32 else P.project(W))


Law = Callable[..., None]
FAILURES: list[tuple[Law, Callable[[iw.Projector], iw.Projector], str, tuple[object, ...]]] = [
    (laws.test_p_equals_the_average_written_out, trace_only, "SO2-even", ()),
    (laws.test_p_equals_the_average_written_out, shrunk, "D4-regular", ()),
    (laws.test_p_equals_the_average_written_out, float32_inside, "SO3", ()),
    (laws.test_p_is_idempotent_and_self_adjoint, shrunk, "C4-regular", ()),
    (laws.test_p_is_idempotent_and_self_adjoint, oblique, "C4-regular", ()),
    (laws.test_pw_commutes_with_the_action_and_forgets_it, nothing_removed, "O-irreps", ()),
    (laws.test_known_equivariant_weights_are_fixed, everything_removed, "SO3", ()),
    (laws.test_known_equivariant_weights_are_fixed, trace_only, "SO2-even", ()),
    (laws.test_rank_is_trace_is_character_inner_product, wrong_rank, "T-complex-type", ()),
    (laws.test_rank_is_the_sum_over_irreps, wrong_rank, "Q8-quaternionic", ()),
    (laws.test_methods_agree_with_the_nullspace, shrunk, "O3", ()),
    (laws.test_basis_is_orthonormal_and_spans, doubled_basis, "C4-mixed", ()),
    (laws.test_project_and_residual_split_the_norm, residual_is_w, "D3-irreps", ()),
    (laws.test_penalty_gradient_is_the_residual, half_penalty, "C3-irreps", ()),
    (laws.test_penalty_gradient_is_the_residual, detached_penalty, "C3-irreps", ()),
    (laws.test_sampled_operator_penalty_is_twice_ours, half_penalty, "SO3", ()),
    (laws.test_precisions_agree, coarse_float32, "SO3", (torch.float32,)),
    (laws.test_complex_weights_are_real_and_imaginary_part, real_part_only, "C4-regular", ()),
    (laws.test_chance_is_what_random_weights_show, wrong_rank, "S5-points", ()),
]
EXTRA = {"SO2-even": Case("SO2-even", lambda: (iw.SO(2).irreps("2x1"), iw.SO(2).irreps("2x1")), band=2)}


@pytest.mark.parametrize(("law", "breakage", "name", "extra"), FAILURES, ids=lambda x: getattr(x, "__name__", str(x)))
def test_law_fails_on_a_broken_projector(
    law: Law,
    breakage: Callable[[iw.Projector], iw.Projector],
    name: str,
    extra: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = BY_NAME.get(name) or EXTRA[name]
    law(case, *extra)  # the law holds for the real one
    rep_in, rep_out, P = laws.built(case)
    twin = breakage(P)
    monkeypatch.setattr(laws, "built", lambda _: (rep_in, rep_out, twin))
    with pytest.raises(AssertionError):
        law(case, *extra)


def test_bias_law_fails_for_the_wrong_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bias projected for C2 is not what C4's average gives."""
    case = BY_NAME["C4-regular"]
    smaller = (3 * iw.Cyclic(4).regular()).restrict(iw.Cyclic(2))
    monkeypatch.setattr(iw, "projector", lambda rep: laws_projector(smaller))
    with pytest.raises(AssertionError):
        laws.test_bias_is_fixed_by_the_group(case)


laws_projector = iw.projector


def test_representation_law_fails_for_a_false_representation() -> None:
    """Frequency one and a half: matrices of quarter turns that do not multiply as quarter turns do."""
    rep = iw.Cyclic(4).irrep(1)

    class FalseField(type(rep.segments[0].field)):  # type: ignore[misc]
        def matrices(self, elements: np.ndarray) -> np.ndarray:
            angle = 1.5 * np.arctan2(elements[:, 1, 0], elements[:, 0, 0])
            return np.stack([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)

    field = FalseField(rep.group, "1")
    with pytest.raises(AssertionError):
        iw.testing.assert_representation(iw.Representation.of(field))


def plain_step(self: iw.Projector, W: torch.Tensor, factor: float) -> None:
    """The proximal step of the plain norm, in which P is oblique."""
    W.copy_(torch.lerp(W, self.project(W), 1 - factor))


@pytest.mark.parametrize("name", ["spectral", "spectral, even", "spherical", "relaxed, filters"])
def test_penalty_and_decay_laws_fail_for_the_step_of_another_norm(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    laws_of_one = [
        lambda: decay_laws.test_step_is_the_proximal_step_of_the_penalty(name, 0.5),
        lambda: decay_laws.test_penalty_and_decay_share_their_stationary_point(name),
        lambda: decay_laws.test_infinite_strength_is_the_limit(name),
    ]
    for law in laws_of_one:
        law()
    monkeypatch.setattr(type(kinds.built(name)), "_shrink_", plain_step)
    for law in laws_of_one:
        with pytest.raises(AssertionError):
            law()


def test_penalty_law_fails_for_a_gradient_of_another_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    P = kinds.built("spherical")
    monkeypatch.setattr(P, "squared_residual", lambda W: (W - P.project(W)).abs().square().sum(), raising=False)
    with pytest.raises(AssertionError):
        decay_laws.test_gradient_is_that_of_the_norm("spherical")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_forward_mode_laws_fail_for_a_derivative_that_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LinearMap, "jvp", staticmethod(lambda ctx, tangent, *_: torch.zeros_like(tangent)))
    with pytest.raises(AssertionError):
        forward_laws.test_jvp_of_a_linear_map_is_the_map("orbit", "project")
    with pytest.raises(AssertionError):
        forward_laws.test_hessian_of_a_squared_norm_is_its_matrix("orbit", "squared_residual")


def test_autocast_law_fails_without_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._C, "_is_any_autocast_enabled", lambda: False)
    with pytest.raises(AssertionError):
        autocast_laws.test_projections_and_their_gradients("steerable kernel", "project", "both", torch.bfloat16)


@pytest.mark.parametrize("scale", [1e-25, 1e38])
def test_scale_law_fails_for_norms_of_plain_squares(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_numerics, "power_of_two", torch.ones_like)
    with pytest.raises(AssertionError):
        scale_laws.test_relative_residual("orbit", torch.float32, scale)
