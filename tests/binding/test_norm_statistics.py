"""What the statistics of norm layers keep is decided from the type alone: against the layers themselves."""

import pytest
from torch import nn

import intertwine as iw
from intertwine.layers.norms import statistics
from tests.binding.acting import elements, feature_error, image_error, randn
from tests.binding.cases import fill

C2, C4, D4, O3, SO2, SO3 = iw.Cyclic(2), iw.Cyclic(4), iw.Dihedral(4), iw.O(3), iw.SO(2), iw.SO(3)
SIGNED = C2.permutation([[1, 0, 2, 3]], signs=[[1, 1, -1, -1]])
REPS = {
    "regular": 2 * C4.regular(),
    "trivial": 8 * D4.trivial(),
    "signs": 8 * C2.irrep(1),
    "trivial and signs": C2.irreps("4x0 + 4x1"),
    "signed permutation": 2 * SIGNED,
    "flipped permutation": 4 * C2.permutation([[1, 0]], signs=[[-1, -1]]),
    "quotient": 2 * C4.permutation([[1, 2, 3, 0]]),
    "plane vectors": 4 * C4.irrep(1),
    "whole runs": C4.irreps("4x0") + C4.regular(),
    "vectors": SO3.irreps("2x0 + 2x1"),
    "continuous plane": SO2.irreps("4x1"),
    "pseudoscalars": O3.irreps("8x0o"),
    "trivial block": SO3.irreps("8x0"),
    "innermost copies": iw.Representation(
        C4, (iw.representations.Segment(2, C4.regular().segments[0].field, "ir_mul"),)
    ),
}
NORMS = {
    "layer": lambda: nn.LayerNorm(8),
    "rms": lambda: nn.RMSNorm(8),
    "group 1": lambda: nn.GroupNorm(1, 8),
    "group 2": lambda: nn.GroupNorm(2, 8),
    "group 4": lambda: nn.GroupNorm(4, 8),
    "group 8": lambda: nn.GroupNorm(8, 8),
    "instance": lambda: nn.InstanceNorm1d(8, affine=True),
    "instance, running": lambda: nn.InstanceNorm1d(8, affine=True, track_running_stats=True),
    "batch": lambda: nn.BatchNorm1d(8),
    "batch without running": lambda: nn.BatchNorm1d(8, track_running_stats=False),
}


def error(module: nn.Module, rep: iw.Representation) -> float:
    """On features alone, or, for norms over positions, on lines of five, which the group leaves alone."""
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return feature_error(module, rep, rep, 6)
    return image_error(module, rep, rep, (5,), rep.group.trivial())


@pytest.mark.parametrize("rep", REPS.values(), ids=REPS.keys())
@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS.keys())
def test_said_to_keep_iff_it_commutes(norm: object, rep: iw.Representation) -> None:
    module = norm().double().eval()
    found = statistics(module, rep)
    assert found.keeps == (error(module, rep) < 1e-10)
    assert bool(found.reason) == bool(found.advice)
    if isinstance(module, nn.BatchNorm1d):
        assert (not found.reason) == (error(module.train(), rep) < 1e-10)


def test_a_group_norm_that_cuts_fields_is_refused_by_name() -> None:
    rep = 2 * C4.regular()
    net = nn.Sequential(nn.Linear(8, 8), nn.GroupNorm(4, 8), nn.Linear(8, 8))
    with pytest.raises(iw.errors.ArgumentError, match=r"types\['1'\].*GroupNorm keep.*regular reaches over.*FieldNorm"):
        iw.bind(net, {"0": (rep, rep), "1": rep, "2": (rep, rep)})
    net[1] = nn.GroupNorm(2, 8)
    fill(net.double())
    iw.bind(net, {"0": (rep, rep), "1": rep, "2": (rep, rep)}).project_()
    assert float(iw.equivariance_error(net, rep, rep, randn(16, 8) + 1)) < 1e-10


@pytest.mark.parametrize(
    ("module", "rep", "match"),
    [
        (nn.LayerNorm(6), 2 * SO3.irrep(1), "LayerNorm keep; got 2x1: its mean adds up the components of 1.*RMSNorm"),
        (nn.LayerNorm(2), C2.irreps("0 + 1"), "its mean adds up 0 and 1, which the group moves differently"),
        (nn.InstanceNorm1d(6, affine=True), 2 * SO3.irrep(1), "divides each channel by its own deviation"),
        (nn.BatchNorm1d(6, track_running_stats=False), 2 * SO3.irrep(1), "mixes the components of 1.*diagonal_proj"),
    ],
)
def test_statistics_that_break_are_refused(module: nn.Module, rep: iw.Representation, match: str) -> None:
    with pytest.raises(iw.errors.ArgumentError, match=match):
        iw.bind(module, {"": rep})
    # Its weight alone can be held to the symmetry all the same.
    P = iw.diagonal_projector(rep)
    assert iw.bind(module, {"weight": P})["weight"].projector is P


def test_rms_norm_keeps_vectors() -> None:
    rep = SO3.irreps("2x0 + 2x1")
    module = fill(nn.RMSNorm(8).double())
    iw.bind(module, {"": rep}).project_()
    assert feature_error(module, rep, rep, 5) < 1e-10
    assert len(elements(SO3)) > 1


def test_groups_that_the_group_permutes_whole_are_kept() -> None:
    rep = C2.permutation([[2, 3, 0, 1]])  # the two halves change places
    for count, keeps in ((1, True), (2, True), (4, True)):
        module = fill(nn.GroupNorm(count, 4).double())
        iw.bind(module, {"": rep}).project_()
        assert (image_error(module, rep, rep, (3,), C2.trivial()) < 1e-10) is keeps
    assert not statistics(nn.GroupNorm(2, 4), C2.permutation([[0, 2, 1, 3]])).keeps
