"""A regularisation said before its optimisers are there: shares of several, state, what waits; and its numbers."""

import copy
import json
import math
import pickle

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError, UnknownNameError
from intertwine.training import EquivariancePenalty, Regularization, scalars
from tests.training.models import V, assert_same, data, net, off, weights


def step_all(model, *optimizers):
    x, y = data()
    for optimizer in optimizers:
        optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    for optimizer in optimizers:
        optimizer.step()


def halves(model, lr=0.05):
    return torch.optim.AdamW(model[0].parameters(), lr=lr), torch.optim.SGD(model[2].parameters(), lr=lr)


def test_it_is_the_decay_and_the_penalty_on_one_optimizer():
    (model, binding), (twin, bound) = net(), net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    Regularization(binding, decay=3.0, penalty={"0": 0.2}, every=2).attach(optimizer)
    other = torch.optim.AdamW(twin.parameters(), lr=0.01)
    iw.EquivarianceDecay(other, bound, 3.0, every=2)
    EquivariancePenalty(other, bound, {"0": 0.2}, every=2)
    for _ in range(4):
        step_all(model, optimizer)
        step_all(twin, other)
    assert_same(weights(model), weights(twin))


@pytest.mark.parametrize("strength", [2.0, {"0": 2.0, "2.weight": 5.0}, lambda step: {"0": 1.0 + step, "2": 4.0}])
def test_several_optimizers_decay_what_they_hold(strength):
    """As one optimiser with two groups does."""
    (model, binding), (twin, bound) = net(), net()
    first, second = torch.optim.SGD(model[0].parameters(), lr=0.1), torch.optim.SGD(model[2].parameters(), lr=0.02)
    regularization = Regularization(binding, decay=strength, penalty=0.1).attach(first, second)
    groups = [{"params": twin[0].parameters(), "lr": 0.1}, {"params": twin[2].parameters(), "lr": 0.02}]
    other = torch.optim.SGD(groups)
    Regularization(bound, decay=strength, penalty=0.1).attach(other)
    for _ in range(3):
        step_all(model, first, second)
        step_all(twin, other)
    for name, W in weights(model).items():
        torch.testing.assert_close(W, weights(twin)[name], rtol=1e-12, atol=1e-12)
    assert len(regularization.parts) == 4
    at = strength(3) if callable(strength) else strength
    expected = at if isinstance(at, float) else at.get("2.weight", at.get("2"))
    assert regularization.strengths["decay_strength"][0]["2.weight"] == expected


def test_each_counts_its_own_steps_and_buffers_go_with_their_module():
    norm = nn.BatchNorm1d(8, dtype=torch.float64)
    model = nn.Sequential(nn.Linear(8, 8, dtype=torch.float64), norm)
    binding = iw.bind(model, {"0": (V, V), "1": V})
    first, second = torch.optim.SGD(model[0].parameters(), lr=0.1), torch.optim.SGD(norm.parameters(), lr=0.1)
    regularization = Regularization(binding, decay=math.inf).attach(first, second)
    x, y = data()
    for _ in range(2):
        nn.functional.mse_loss(model(x), y).backward()
        first.step()
    assert [part.steps for part in regularization.parts] == [2, 0]
    running = binding["1.running_mean"].projector
    assert float(running.relative_residual(norm.running_mean)) > 1e-3
    second.step()
    assert float(running.relative_residual(norm.running_mean)) < 1e-12
    assert regularization.steps == 2


def test_a_parameter_of_two_optimizers_is_decayed_by_each():
    layer = nn.Linear(8, 8, bias=False, dtype=torch.float64)
    binding = iw.bind(layer, {"": (V, V)})
    pair = [torch.optim.SGD(layer.parameters(), lr=1.0) for _ in range(2)]
    Regularization(binding, decay=1.0).attach(*pair)
    before = binding.residuals()["weight"].residual
    layer.weight.grad = torch.zeros_like(layer.weight)
    for optimizer in pair:
        optimizer.step()
    assert binding.residuals()["weight"].residual == pytest.approx(before / 4)


def test_a_parameter_of_none_is_an_error_that_leaves_no_hooks():
    model, binding = net()
    optimizers = torch.optim.SGD(model[0].parameters(), lr=0.1), torch.optim.SGD([model[2].bias], lr=0.1)
    regularization = Regularization(binding, decay=1.0)
    with pytest.raises(ArgumentError, match=r"every typed parameter among its parameters; got none of 2\.weight"):
        regularization.attach(*optimizers)
    assert not any(optimizer._optimizer_step_post_hooks for optimizer in optimizers)
    with pytest.raises(ArgumentError, match="optimizers: expected at least one"):
        regularization.attach()


@pytest.mark.parametrize("several", [False, True])
def test_its_state_goes_through_json_and_training_goes_on_to_the_bit(several):
    def made(model):
        return halves(model) if several else (torch.optim.AdamW(model.parameters(), lr=0.05),)

    options = {"decay": lambda step: 1.0 + step, "penalty": lambda step: 0.1 * step, "every": 3}
    model, binding = net()
    optimizers = made(model)
    regularization = Regularization(binding, **options).attach(*optimizers)
    for _ in range(4):
        step_all(model, *optimizers)
    saved = json.loads(json.dumps(regularization.state_dict()))
    twin, bound = net(seed=5)
    twin.load_state_dict(model.state_dict())
    others = made(twin)
    for other, optimizer in zip(others, optimizers, strict=True):
        other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    resumed = Regularization(bound, **options)
    resumed.load_state_dict(saved)  # before there are optimisers
    resumed.attach(*others)
    for _ in range(4):
        step_all(model, *optimizers)
        step_all(twin, *others)
    for acting in (regularization, resumed):
        acting.finish()
    assert_same(weights(twin), weights(model))
    assert resumed.state_dict() == regularization.state_dict()


def test_taken_off_it_keeps_its_count_for_the_next_optimizers():
    model, binding = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    regularization = Regularization(binding, decay=lambda step: 1.0 * step).attach(optimizer)
    step_all(model, optimizer)
    regularization.remove()
    before = off(binding)
    regularization.remove()
    step_all(model, optimizer)
    assert regularization.steps == 1
    assert off(binding) != before
    other = torch.optim.SGD(model.parameters(), lr=0.1)
    assert regularization.attach(other).strengths["decay_strength"][0]["0.weight"] == 1.0
    pickled = pickle.loads(pickle.dumps((model, other, Regularization(binding, decay=2.0).attach(other))))
    assert pickled[2].scalars()["equivariance/decay_strength"] == 2.0


def test_states_and_arguments_of_something_else_are_refused():
    model, binding = net()
    regularization = Regularization(binding, decay=1.0).attach(*halves(model))
    for state in ({"decay": [{"steps": 1}]}, {"penalty": []}, {"decay": 3}, [1]):
        with pytest.raises(ArgumentError, match="state: expected what state_dict gave with the same strengths"):
            regularization.load_state_dict(state)
    with pytest.raises(ArgumentError, match="decay: expected a number >= 0"):
        Regularization(binding, decay=-1.0)
    with pytest.raises(ArgumentError, match=r"penalty: .*For an infinite strength use EquivarianceDecay"):
        Regularization(binding, penalty=math.inf)
    with pytest.raises(UnknownNameError, match="penalty"):
        Regularization(binding, penalty={"5": 0.1})
    with pytest.raises(ArgumentError, match="binding"):
        Regularization(model, decay=1.0)
    with pytest.raises(ArgumentError, match="decay: expected a sequence of 2 strengths"):
        Regularization([binding, binding], decay=1.0)


# -- numbers -------------------------------------------------------------------------------------------


def test_numbers_are_the_residuals_of_the_weights():
    model, binding = net()
    found = scalars(binding)
    weights_, rests = [], []
    for entry, W in binding.tensors():
        weights_.append(W.detach().flatten())
        rests.append(entry.projector.residual(W.detach()).flatten())
        assert found[f"equivariance/residual/{entry.name}"] == pytest.approx(
            float(rests[-1].norm() / W.detach().norm())
        )
    assert found["equivariance/residual"] == pytest.approx(float(torch.cat(rests).norm() / torch.cat(weights_).norm()))
    assert len(found) == 5
    assert scalars(binding, per_tensor=False) == {"equivariance/residual": found["equivariance/residual"]}
    assert all(type(value) is float for value in found.values())
    with torch.no_grad():
        for W in model.parameters():
            W.zero_()
    assert scalars(binding)["equivariance/residual"] == 0.0


def test_strengths_and_targets_stand_beside_once_or_by_name():
    model, binding = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    decay = iw.EquivarianceDecay(optimizer, binding, lambda step: {"0": 1.0 + step})
    step_all(model, optimizer)
    found = scalars(decay, targets={"0": 0.1, "2": 0.2}, per_tensor=False)
    assert found["equivariance/decay_strength/0.bias"] == 2.0
    assert found["equivariance/decay_strength/2.bias"] == 0.0
    assert found["equivariance/target/2.weight"] == 0.2
    assert scalars(decay, targets=lambda step: 0.1 * step)["equivariance/target"] == 0.1
    penalty = EquivariancePenalty(optimizer, binding, 0.25)
    assert scalars(penalty)["equivariance/penalty_strength"] == 0.25
    split = iw.SplitAdamW(model.parameters(), binding, strength=math.inf)
    assert scalars(split)["equivariance/split_strength"] == math.inf
    assert Regularization(binding).attach(split).scalars()["equivariance/split_strength"] == math.inf
    with pytest.raises(ArgumentError, match="targets: expected a number >= 0"):
        scalars(binding, targets=-0.1)
    with pytest.raises(ArgumentError, match="binding: expected a Binding"):
        scalars(model)


def test_several_bindings_have_their_groups_in_between():
    model, binding = net()
    half = V.restrict(iw.Cyclic(2))
    other = iw.bind(model, {"0": (half, half)})
    found = scalars([binding, other], targets=[0.1, 0.2])
    assert found["equivariance/C2/target"] == 0.2
    assert found["equivariance/C2/residual/0.weight"] <= found["equivariance/C4/residual/0.weight"]
    same = scalars([binding, binding])
    assert same["equivariance/C4 1/residual"] == same["equivariance/C4 2/residual"]
