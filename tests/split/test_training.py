"""SplitAdamW in training loops: param groups, schedulers, scalers, what it keeps, and gradients it refuses."""

import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError
from intertwine.split import layout
from tests.split.cases import FINITE, IRREPS, gradients, net


def test_param_groups_have_rates_decays_and_strengths_of_their_own() -> None:
    """One optimiser of two groups takes the steps of two optimisers, along a schedule of rates."""
    options = [{"lr": 0.1, "weight_decay": 0.0}, {"lr": 0.02, "weight_decay": 0.3, "betas": (0.5, 0.9)}]
    strengths, found = [3.0, math.inf], []
    for together in (True, False):
        model, binding = net(FINITE, 2 * FINITE, FINITE)
        layers = [list(layer.parameters()) for layer in model]
        if together:
            groups = [{"params": params, **each} for params, each in zip(layers, options, strict=True)]
            strength = {"0": strengths[0], "1": strengths[1]}
            optimizers = [iw.SplitAdamW(groups, binding, strength=strength)]
        else:
            optimizers = []
            for i, (params, each) in enumerate(zip(layers, options, strict=True)):
                rep_in, rep_out = [(FINITE, 2 * FINITE), (2 * FINITE, FINITE)][i]
                bound = iw.bind(model, {str(i): (rep_in, rep_out)})
                optimizers.append(iw.SplitAdamW(params, bound, strength=strengths[i], **each))
        schedulers = [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8) for optimizer in optimizers]
        for step in range(6):
            gradients(model, step)
            for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
                optimizer.step()
                scheduler.step()
        found.append([W.detach() for W in model.parameters()])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


def test_a_scaler_in_half_precision_skips_steps_and_changes_no_other() -> None:
    found = []
    for scaled in (True, False):
        model, binding = net(FINITE, FINITE, dtype=torch.float32)
        optimizer = iw.SplitAdamW(model.parameters(), binding, lr=0.1, strength=1.0)
        scaler = torch.amp.GradScaler("cpu", enabled=scaled, init_scale=2.0**10)
        for step in range(4):
            x = torch.full((2, FINITE.dim), 1e30 if step == 2 else 1.0 + step)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.float16):
                loss = model(x).float().square().mean()
            if not scaled and step == 2:
                continue  # an overflow, which the scaler sees
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        assert optimizer.steps == 3
        found.append([W.detach() for W in model.parameters()])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


def test_sparse_gradients_and_projectors_that_do_not_commute_are_refused() -> None:
    model, binding = net(FINITE, FINITE)
    optimizer = iw.SplitAdamW(model.parameters(), binding, strength=1.0)
    gradients(model, 0)
    before = model[0].weight.detach().clone()
    model[0].weight.grad = model[0].weight.grad.to_sparse()
    with pytest.raises(ArgumentError, match=r"^params.*0\.weight"):
        optimizer.step()
    assert torch.equal(model[0].weight, before)
    layer = nn.Linear(4, 4, bias=False)
    turns, swaps = iw.Cyclic(4).regular(), iw.Cyclic(2).permutation([[1, 0, 2, 3]])
    bindings = [iw.bind(layer, {"": (rep, rep)}) for rep in (turns, swaps)]
    with pytest.raises(ArgumentError, match=r"^binding.*commute"):
        iw.SplitAdamW(layer.parameters(), bindings, strength=[1.0, 1.0])


@pytest.mark.parametrize("rep", [4 * FINITE, 3 * IRREPS, iw.SO(3).irreps("9x0 + 9x1 + 9x2 + 9x3")], ids=str)
@pytest.mark.parametrize("least", [1, layout.LEAST])
def test_what_is_kept_is_as_the_docstring_says(rep: iw.Representation, least: int, monkeypatch) -> None:
    """Two tensors and a number a coefficient twice; a quarter more where most entries are zero; little at infinity."""
    monkeypatch.setattr(layout, "LEAST", least)
    for strength in (1.0, math.inf):
        model, binding = net(rep, rep, dtype=torch.float32)
        optimizer = iw.SplitAdamW(model.parameters(), binding, strength=strength)
        gradients(model, 0)
        optimizer.step()
        W, P = model[0].weight, binding["0.weight"].projector
        kept = sum(value.numel() for name, value in optimizer.state[W].items() if name != "step")
        rest = 0 if strength == math.inf else W.numel()
        assert 2 * (P.rank + rest) <= kept <= 2 * (P.rank + 1.25 * rest)
