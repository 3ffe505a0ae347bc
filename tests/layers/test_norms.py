"""Norm layers: diagonal weights and running variances, fixed biases and means."""

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.acting import ATOL, feature_error, image_error, projected, randn
from tests.binding.cases import fill, seeded

C4, D4, O, SO3 = iw.Cyclic(4), iw.Dihedral(4), iw.Octahedral(), iw.SO(3)
MIXED = D4.regular() + D4.irreps("2x0+ + 0- + 1")


@pytest.mark.filterwarnings("ignore::intertwine.RankZeroWarning")
@pytest.mark.parametrize(
    ("module", "rep", "sides"),
    [
        (nn.BatchNorm1d(6), iw.Cyclic(2).regular() + iw.Cyclic(2).irreps("2x0 + 2x1"), (7,)),
        (nn.BatchNorm2d(13), MIXED, (4, 4)),
        (nn.BatchNorm2d(13, affine=False), MIXED, (4, 4)),
        (nn.BatchNorm3d(7), O.irreps("A1 + T1 + T2"), (3, 3, 3)),
        (nn.InstanceNorm2d(8, affine=True, track_running_stats=True), D4.regular(), (4, 4)),
    ],
)
def test_module_law_in_eval_mode(module: nn.Module, rep: iw.Representation, sides: tuple[int, ...]) -> None:
    space = rep.group.irrep(1) if len(sides) == 1 else None
    for buffer in module.double().buffers():
        if buffer.is_floating_point():
            buffer.copy_(randn(*buffer.shape).square() + 0.5)
    fill(module).eval()
    assert image_error(module, rep, rep, sides, space) > 1e-2
    typed = {"": rep}
    if not module.affine:
        binding = iw.bind(module, typed).project_()
        assert binding.penalty() == 0  # buffers have no part in it
    else:
        binding = projected(module, typed)
    assert image_error(module, rep, rep, sides, space) < ATOL
    assert binding.unaccounted == {}
    assert bool((module.running_var > 0).all())


def test_what_is_constant_on_what() -> None:
    rep = SO3.irreps("2x0 + 2x1")
    module = fill(nn.BatchNorm1d(8).double())
    module.running_mean.copy_(randn(8))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    binding = iw.bind(module, {"": rep}).project_()
    assert [(e.name, e.kind, e.projector.rank) for e in binding] == [
        ("weight", "weight", 4),
        ("running_var", "buffer", 4),
        ("bias", "bias", 2),
        ("running_mean", "buffer", 2),
    ]
    weight = module.weight.detach()
    torch.testing.assert_close(weight[:2], before["weight"][:2])
    torch.testing.assert_close(weight[2:5], before["weight"][2:5].mean().expand(3))
    assert not module.bias[2:].any()
    assert not module.running_mean[2:].any()
    torch.testing.assert_close(module.running_mean[:2], before["running_mean"][:2])


def test_training_batch_norm_after_a_convolution_in_eval_mode() -> None:
    """After training steps off the symmetry, project_ alone restores it, buffers included."""
    R = C4.regular()
    model = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3)).double()
    fill(model)
    model(randn(8, 4, 5, 5))
    model.eval()
    binding = iw.bind(model, {"0": (R, 2 * R), "1": 2 * R, "3": (2 * R, R)})
    iw.bind(model, {"0": (R, 2 * R), "3": (2 * R, R)}).project_()
    assert image_error(model, R, R, (5, 5)) > 1e-3  # the statistics still break it
    binding.project_()
    assert image_error(model, R, R, (5, 5)) < ATOL
    binding.initialize_(generator=seeded())
    assert image_error(model, R, R, (5, 5)) < ATOL
    torch.testing.assert_close(model[1].weight.detach(), torch.ones(8, dtype=torch.float64))


@pytest.mark.parametrize("module", [nn.LayerNorm(8), nn.RMSNorm(8), nn.GroupNorm(2, 8)])
def test_norms_of_features(module: nn.Module) -> None:
    rep = 2 * C4.regular()
    fill(module.double())
    assert feature_error(module, rep, rep, 5) > 1e-2
    projected(module, {"": rep})
    assert feature_error(module, rep, rep, 5) < ATOL


def test_layer_norm_over_pixels_too() -> None:
    module = nn.LayerNorm((8, 3, 3))
    rep = D4.regular()
    binding = projected(module, {"": rep.tensor(D4.grid(3, 3))})
    assert binding["weight"].projector.shape == (8, 3, 3)
    assert image_error(module, rep, rep, (3, 3)) < ATOL


class LayerScale(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gamma


def test_layer_scale_by_name() -> None:
    module = LayerScale(13)
    projected(module, {"gamma": iw.diagonal_projector(MIXED, shape=(13, 1, 1))})
    assert image_error(module, MIXED, MIXED, (3, 3)) < ATOL
    assert bool((module.gamma != 0).all())


@pytest.mark.parametrize(
    ("module", "value", "match"),
    [
        (nn.BatchNorm2d(8), (C4.regular(), C4.regular()), "for a BatchNorm2d, .*; got 2 of them, regular and regular"),
        (nn.BatchNorm2d(8), iw.Typed(C4.regular(), C4.regular()), "one representation .*; got regular to regular"),
        (nn.LayerNorm(8), C4.regular(), r"dimension 8, as weight has shape \(8,\); got dimension 4, from regular"),
        (nn.InstanceNorm2d(4), C4.regular(), "a module with parameters or running statistics; got an InstanceNorm2d"),
    ],
)
def test_refused(module: nn.Module, value: object, match: str) -> None:
    with pytest.raises(iw.errors.IntertwineError, match=match):
        iw.bind(module, {"": value})
