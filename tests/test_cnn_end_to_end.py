"""Convolutional networks from plain torch layers, bound and projected: equivariant, until something breaks it."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import seeded

D4, OCTAHEDRAL = iw.Dihedral(4), iw.Octahedral()
SIDE = 17
TOLERANCE = 1e-5
BREAKERS = ("stride", "pool", "norm")


def plane_layers(breaker: str | None) -> OrderedDict[str, nn.Module]:
    """Sides 17, 9, 4; with an odd stride, a pooling that misses the centre, or a LayerNorm over pixels as breaker."""
    R = 16
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        stem=nn.Conv2d(3, R, 3, padding=1),
        norm=nn.LayerNorm([R, SIDE, SIDE]) if breaker == "norm" else nn.BatchNorm2d(R),
        act=nn.ReLU(),
        # (17 + 2 - 2 - 1) % 3 = 1, and % 2 = 0.
        conv=nn.Conv2d(R, R, 3, stride=3 if breaker == "stride" else 2, padding=1),
        act2=nn.ReLU(),
        # (9 - 1 - 1) % 2 = 1, and (9 - 2 - 1) % 2 = 0.
        pool=nn.MaxPool2d(2) if breaker == "pool" else nn.MaxPool2d(3, 2),
        depthwise=nn.Conv2d(R, R, 3, padding=1, groups=R),
        mean=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        head=nn.Linear(R, 10),
    )
    if breaker == "stride":
        layers["pool"] = nn.MaxPool2d(2)  # 6 pixels are left
    return layers


def volume_layers(breaker: str | None) -> OrderedDict[str, nn.Module]:
    """Sides 9, 5, 2."""
    R = 24
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        stem=nn.Conv3d(2, R, 3, padding=1),
        norm=nn.LayerNorm([R, 9, 9, 9]) if breaker == "norm" else nn.BatchNorm3d(R),
        act=nn.ReLU(),
        conv=nn.Conv3d(R, R, 3, stride=3 if breaker == "stride" else 2, padding=1),
        act2=nn.ReLU(),
        pool=nn.MaxPool3d(2) if breaker == "pool" else nn.AvgPool3d(3, 2),
        mean=nn.AdaptiveAvgPool3d(1),
        flat=nn.Flatten(),
        head=nn.Linear(R, 3),
    )
    if breaker == "stride":
        layers["pool"] = nn.Identity()
    return layers


class Case:
    """A network with everything random, bound and projected, in float32."""

    def __init__(self, group: iw.Group, breaker: str | None) -> None:
        volume = group == OCTAHEDRAL
        R = group.regular() if volume else 2 * group.regular()
        self.group = group
        self.x_rep = 2 if volume else 3
        trivial, vector = group.trivial(), group.irreps("T1") if volume else 10 * group.trivial()
        self.model = nn.Sequential(volume_layers(breaker) if volume else plane_layers(breaker))
        with torch.no_grad():
            for tensor in (*self.model.parameters(), *self.model.buffers()):
                if tensor.is_floating_point():
                    tensor.copy_(torch.randn(tensor.shape, generator=seeded(3)))
            for name, buffer in self.model.named_buffers():
                if name.endswith("running_var"):
                    buffer.abs_().add_(0.5)
        types: dict[str, object] = {
            "stem": (self.x_rep * trivial, R),
            "conv": (R, R),
            "depthwise": (R, R),
            "head": (R, vector),
        }
        if volume:
            del types["depthwise"]
        if breaker != "norm":
            types["norm"] = R
        with pytest.warns(iw.RankZeroWarning) if volume else torch.no_grad():  # vectors have no invariant bias
            self.binding = iw.bind(self.model, types)
        self.binding.initialize_(generator=seeded())
        sides = (9,) * 3 if volume else (SIDE,) * 2
        self.x = torch.randn(2, self.x_rep, *sides, generator=seeded(1))
        self.rep_in, self.rep_out = iw.on_grid(self.x_rep * trivial), vector
        images = ("stem", "norm", "act", "conv", "act2", "pool", "mean")
        self.reps: dict[str, object] = {name: iw.on_grid(R) for name in images} | {"flat": R, "head": vector}

    def error(self) -> iw.EquivarianceError:
        return iw.equivariance_error(self.model, self.rep_in, self.rep_out, self.x)


@pytest.mark.parametrize("group", [D4, OCTAHEDRAL], ids=str)
def test_equivariant_in_float32(group: iw.Group) -> None:
    case = Case(group, None)
    error = case.error()
    assert error.exact
    assert float(error) < TOLERANCE
    assert case.binding.unaccounted == {}
    assert iw.geometry(case.model, case.x, group=group).breaking == ()
    assert iw.first_breaker(case.model, case.reps, case.rep_in, case.x) is None
    with torch.no_grad():
        assert float(case.model.eval()(case.x).std()) > 1e-3  # no network of zeros
    # Without the projection it is far from equivariant.
    case.model.conv.reset_parameters()
    assert float(case.error()) > 100 * TOLERANCE


@pytest.mark.parametrize("breaker", BREAKERS)
@pytest.mark.parametrize("group", [D4, OCTAHEDRAL], ids=str)
def test_a_planted_breaker_is_found(group: iw.Group, breaker: str) -> None:
    case = Case(group, breaker)
    assert float(case.error()) > 100 * TOLERANCE
    planted = {"stride": "conv", "pool": "pool", "norm": "norm"}[breaker]
    found = iw.first_breaker(case.model, case.reps, case.rep_in, case.x)
    assert found is not None
    assert found.name == planted
    named = [layer.name for layer in iw.geometry(case.model, case.x, group=group).breaking]
    if breaker == "norm":  # no geometry, but weights that nobody has typed
        assert named == []
        assert {"norm.weight", "norm.bias"} <= set(case.binding.unaccounted)
        verdicts = {layer.name: layer.verdict for layer in iw.report(case.binding, split=False).between}
        assert verdicts["norm"] == "depends"
    else:
        assert named[0] == planted
