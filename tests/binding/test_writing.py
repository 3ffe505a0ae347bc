"""What is written to a model stays there, or is refused: parametrised tensors, and those that hooks compute."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import intertwine as iw
from tests.binding.cases import fill, seeded

R = 2 * iw.Cyclic(4).regular()
TOLERANCE = 1e-10


def layer(**options) -> nn.Linear:
    return fill(nn.Linear(8, 8, **options).double())


class Halved(nn.Module):
    """W = V / 2, with its inverse."""

    def forward(self, V: torch.Tensor) -> torch.Tensor:
        return V / 2

    def right_inverse(self, W: torch.Tensor) -> torch.Tensor:
        return 2 * W


class Identity(nn.Module):
    """W = V itself, and the inverse keeps what it is given."""

    def forward(self, V: torch.Tensor) -> torch.Tensor:
        return V

    def right_inverse(self, W: torch.Tensor) -> torch.Tensor:
        return W


class LowRank(nn.Module):
    """W = V masked; no inverse."""

    def forward(self, V: torch.Tensor) -> torch.Tensor:
        return V.tril()


class WrongInverse(LowRank):
    """It has an inverse, but P W is no value of it."""

    def right_inverse(self, W: torch.Tensor) -> torch.Tensor:
        return W


def weight_norm(module: nn.Linear) -> nn.Module:
    return parametrizations.weight_norm(module)


def parametrised(kind: type[nn.Module]):
    def wrap(module: nn.Linear) -> nn.Module:
        parametrize.register_parametrization(module, "weight", kind(), unsafe=True)
        return module

    wrap.__name__ = kind.__name__
    return wrap


GOOD = [weight_norm, parametrised(Halved), parametrised(Identity)]
BAD = [
    parametrizations.spectral_norm,
    parametrizations.orthogonal,
    parametrised(LowRank),
    parametrised(WrongInverse),
]


@pytest.mark.parametrize("wrap", GOOD, ids=lambda f: f.__name__)
@pytest.mark.parametrize("keep", [False, True])
def test_projects_through_the_right_inverse(wrap, keep):
    twin = layer()
    module = wrap(copy.deepcopy(twin))
    for model in (twin, module):
        iw.bind(model, {"": (R, R)}).project_(preserve_norm=keep)
    torch.testing.assert_close(module.weight, twin.weight, rtol=0, atol=TOLERANCE)
    # The parameters themselves have changed, not what was computed from them.
    loaded = wrap(layer())
    loaded.load_state_dict(module.state_dict())
    torch.testing.assert_close(loaded.weight, twin.weight, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("wrap", GOOD, ids=lambda f: f.__name__)
def test_initialises_through_the_right_inverse(wrap):
    twin = layer()
    module = wrap(copy.deepcopy(twin))
    for model in (twin, module):
        iw.bind(model, {"": (R, R)}).initialize_(generator=seeded(3))
    torch.testing.assert_close(module.weight, twin.weight, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(module.bias, twin.bias, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("wrap", BAD, ids=lambda f: f.__name__)
@pytest.mark.parametrize("call", ["project_", "initialize_"])
def test_what_a_parametrisation_cannot_make_is_refused(wrap, call):
    """And nothing is changed, not even a layer that comes first."""
    model = nn.Sequential(layer(), weight_norm(layer()), wrap(layer()))
    binding = iw.bind(model, {"0": (R, R), "1": (R, R), "2": (R, R)})
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(iw.errors.ArgumentError, match=rf"{call}: expected 2\.weight to take its projection through"):
        getattr(binding, call)()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_spectral_norm_that_is_one_is_no_obstacle():
    """What is refused is a wrong value, not a kind of parametrisation."""
    module = layer(bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.eye(8).roll(4, 0))
    module = parametrizations.spectral_norm(module, n_power_iterations=50).eval()
    binding = iw.bind(module, {"": (R, R)}).project_()
    torch.testing.assert_close(module.weight, torch.eye(8, dtype=torch.float64).roll(4, 0))
    assert binding.residuals()["weight"].relative_residual < TOLERANCE


def old_weight_norm(module: nn.Linear) -> None:
    nn.utils.weight_norm(module)


def pruned(module: nn.Linear) -> None:
    prune.l1_unstructured(module, "weight", 0.5)


def old_spectral_norm(module: nn.Linear) -> None:
    nn.utils.spectral_norm(module)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
@pytest.mark.parametrize("change", [pruned, old_weight_norm, old_spectral_norm], ids=lambda f: f.__name__)
def test_tensors_that_hooks_compute_after_binding_are_refused(change):
    module = layer()
    binding = iw.bind(module, {"": (R, R)})
    change(module)
    before = copy.deepcopy(module.state_dict())
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    calls = {
        "project_": binding.project_,
        "initialize_": binding.initialize_,
        "penalty": binding.penalty,
        "binding": lambda: iw.EquivarianceDecay(optimizer, binding, 1.0),
    }
    for name, call in calls.items():
        with pytest.raises(iw.errors.ArgumentError, match=rf"{name}: .* got weight, which a hook computes anew"):
            call()
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    if change is pruned:
        prune.remove(module, "weight")
        binding.project_()
        module(torch.zeros(1, 8, dtype=torch.float64))
        assert binding.residuals()["weight"].relative_residual < TOLERANCE
