import math

import pytest
import torch

import intertwine as iw
from experiments.demo.digits_training import (
    METHODS,
    DigitsSettings,
    digits_ends,
    digits_types,
    initial_network,
    run_digits,
    train,
)

SHORT = {"epochs": 2}


@pytest.mark.parametrize("method", METHODS)
def test_a_run_depends_on_its_settings_alone(method):
    strength = 0.1 if METHODS[method].tuned else None
    settings = DigitsSettings(0.3, 1, method, strength, **SHORT).to_dict()
    torch.manual_seed(0)
    first = run_digits(settings)
    state = torch.get_rng_state()
    second = run_digits(settings)
    assert torch.equal(state, torch.get_rng_state())
    assert {k: v for k, v in first.items() if k != "seconds"} == {k: v for k, v in second.items() if k != "seconds"}
    assert 0 <= first["test_accuracy"] <= 1
    assert set(first["residuals"]) == {f"{n}.{kind}" for n in (0, 2, 4) for kind in ("weight", "bias")}


@pytest.mark.parametrize("model", ["mlp", "cnn"])
@pytest.mark.parametrize("method", ["exact", "train_then_project"])
def test_projected_networks_are_equivariant(method, model):
    result = run_digits(DigitsSettings(0.3, 0, method, model=model, **SHORT).to_dict())
    assert result["relative_residual"] < 1e-6
    assert result["equivariance_error"] < 1e-5


def test_the_exact_network_does_not_feel_the_dial():
    upright, turned = (train(DigitsSettings(fraction, 0, "exact", **SHORT)).model for fraction in (0.0, 1.0))
    # Turned digits give the same projected gradients, up to the order of float32 sums over six steps.
    for a, b in zip(upright.parameters(), turned.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_strength_interpolates_between_free_and_exact():
    def weights(method, strength=None):
        model = train(DigitsSettings(0.3, 0, method, strength, **SHORT)).model
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    free, exact = weights("equivariant_start"), weights("exact")
    assert torch.equal(weights("decay", 0.0), free)
    torch.testing.assert_close(weights("decay", 1e9), exact, rtol=0, atol=1e-4)
    middle = weights("decay", 1.0)
    assert (middle - exact).norm() < (free - exact).norm()


def test_methods_share_the_initial_draw():
    network = initial_network(4)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), initial_network(4).parameters(), strict=True))
    projected = iw.bind(initial_network(4), digits_types()).project_(preserve_norm=True)
    started = train(DigitsSettings(0.0, 4, "exact", epochs=1, learning_rate=0.0))
    for a, b in zip(projected.model.parameters(), started.model.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_diverged_runs_are_reported_not_raised():
    result = run_digits(DigitsSettings(0.0, 0, "plain", epochs=1, learning_rate=1e30).to_dict())
    assert math.isinf(result["validation_loss"])
    assert math.isinf(result["equivariance_error"])


def test_the_convolutional_network_is_bound_whole_and_breaks_nothing():
    model, types = initial_network(0, "cnn"), digits_types("cnn")
    assert not iw.bind(model, types).unaccounted
    pixels, logits = digits_ends()
    x = torch.randn(20, pixels.dim, generator=torch.Generator().manual_seed(0))
    assert float(iw.equivariance_error(model, pixels, logits, x)) > 0.1
    iw.bind(model, types).project_(preserve_norm=True)
    assert float(iw.equivariance_error(model, pixels, logits, x)) < 1e-5


def test_unknown_network():
    with pytest.raises(iw.errors.UnknownNameError, match=r"model: expected one of mlp, cnn.*got 'rnn'"):
        train(DigitsSettings(0.0, 0, "plain", model="rnn"))


def test_unknown_method():
    with pytest.raises(iw.errors.UnknownNameError, match=r"method: expected one of plain.*got 'magic'"):
        train(DigitsSettings(0.0, 0, "magic"))
