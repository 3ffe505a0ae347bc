"""torch.compile takes a step of SplitAdamW whole, without a graph break, once for all steps: the same numbers."""

import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.split import components, layout, runs
from tests.split.cases import FINITE, IRREPS, gradients, net

# Dynamo instantiates autograd functions, of which torch itself warns.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")


@pytest.mark.parametrize("way", ["apart", "rows", "by entry"])
def test_a_compiled_step_is_the_step(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "by entry":
        monkeypatch.setattr(components, "are_means", lambda P, W: False)
    else:
        monkeypatch.setattr(layout, "LEAST", 1)
        monkeypatch.setattr(layout, "SPARSE", 1 if way == "apart" else -1)
        monkeypatch.setattr(runs, "LEAST_WIDTH", 1)
    rep, found = IRREPS if way == "apart" else 2 * FINITE, []
    for compiled in (True, False):
        model, binding = net(rep, rep)
        extra = nn.Linear(2, 2, dtype=torch.float64)
        torch.nn.init.ones_(extra.weight)
        strength = {"0.weight": 0.5} if way == "rows" else math.inf if way == "apart" else 0.5
        optimizer = iw.SplitAdamW([*model.parameters(), extra.weight], binding, lr=0.1, strength=strength)
        for W in [*model.parameters(), extra.weight]:
            W.grad = torch.zeros_like(W)
        step = optimizer.step

        def call(step=step) -> None:
            step()

        torch._dynamo.reset()
        # The first step makes the moments.
        taken = torch.compile(call, fullgraph=True, backend="aot_eager") if compiled else call
        call()
        for number in range(3):
            before = [W.grad for W in model.parameters()]
            gradients(model, number)
            for W, kept in zip(model.parameters(), before, strict=True):
                W.grad = kept.copy_(W.grad)
            with torch._dynamo.config.patch(error_on_recompile=number > 0):
                taken()
        found.append([W.detach() for W in [*model.parameters(), extra.weight]])
        assert optimizer.param_groups[0]["steps_taken"] == 4
    # Bias corrections by counts in float32, as torch's own where it compiles.
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
