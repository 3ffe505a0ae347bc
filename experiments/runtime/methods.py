"""The regularisers that are timed, each around its own copy of the network, and what they cost outside a step."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from experiments.runtime.cases import Case, TypedNetwork
from intertwine.baselines import (
    LieDerivative,
    Method,
    SampledActivation,
    SampledOperator,
    Subject,
    make_method,
    training_step,
)
from intertwine.decay import EquivarianceDecay
from intertwine.projectors import Projector

STRENGTH = 1.0
# lr * strength as in training: far below it, the decay would take the path for steps that rounding nearly loses.
LEARNING_RATE = 1e-3
LABELS = {
    "plain": "plain step",
    "plain_l2": "plain L2 as a loss term",
    "penalty": "ours, penalty",
    "decay": "ours, decay",
    "augmentation": "augmentation",
    "sampled_activation": "sampled, activations",
    "sampled_operator": "sampled, weights",
    "lie_derivative": "Lie derivative",
    "rpp": "RPP",
    "dense": "dense basis",
}
SAMPLED = {"sampled_activation": SampledActivation, "sampled_operator": SampledOperator}
# The dense basis is built where all of it takes no more than this many bytes in float32, and each layer's no more than
# ``Projector.basis`` gives.
DENSE_BYTES, DENSE_NUMEL = 2**30, 2**26


class PlainL2(Method):
    """``L + s/2 |W|^2`` over the typed parameters, written into the loss: what the penalty is measured against."""

    name, label, source = "plain_l2", LABELS["plain_l2"], "torch"
    tuned = True

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return plain_l2(self.subject)


class TurnedBatch(Method):
    """Augmentation at its cheapest: one random element a step for the whole batch."""

    name, label, source = "augmentation", LABELS["augmentation"], "folklore"

    def batch(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        g = self.subject.group.sample(1, generator=self.generator)[0]
        return self.subject.act_in(g, x), self.subject.act_out(g, y)


class DenseBasis(Method):
    """``L + s/2 |W - Q Q^T W|^2`` with the orthonormal basis Q, N x D, of each whole layer: the reference method.

    N is the number of weights, D the rank; weights only.

    Source:
        Berndt and Stuehmer, arXiv 2601.05028 (the equation; this is our code).
    """

    name, label, source = "dense", LABELS["dense"], "arXiv 2601.05028"
    tuned = True

    def __init__(
        self, subject: Subject, strength: float | None = None, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(subject, strength, generator=generator)
        self._weights = []
        for entry in subject.binding:
            if entry.kind == "weight":
                W = entry.tensor(subject.model)
                self._weights.append((W, entry.projector.basis().flatten(1).to(W)))

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        residuals = [W.flatten() - Q.T @ (Q @ W.flatten()) for W, Q in self._weights]
        return self.strength / 2 * torch.stack([residual.pow(2).sum() for residual in residuals]).sum()


class Still(torch.optim.Optimizer):
    """An optimiser that leaves everything as it is, so that its step costs what its hooks cost."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {"lr": LEARNING_RATE})

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Nothing."""


def typed_parameters(subject: Subject) -> list[torch.Tensor]:
    """The tensors that a penalty sees."""
    return [entry.tensor(subject.model) for entry in subject.binding if entry.kind != "buffer"]


def dense_numbers(projectors: list[Projector]) -> list[int]:
    """N x D of each layer."""
    return [P.numel * P.rank for P in projectors]


def timed_method(name: str, network: TypedNetwork, samples: int = 1) -> Method:
    """The method of that name on a network of its own.

    Raises:
        ArgumentError: it does not apply to the group or to the network; the message says why.
    """
    subject, generator = network.subject(), torch.Generator().manual_seed(network.case.seed)
    if name in SAMPLED:
        return SAMPLED[name](subject, STRENGTH, generator=generator, num_samples=samples)
    if name == "lie_derivative":
        return LieDerivative(subject, STRENGTH, generator=generator, num_samples=samples)
    own: dict[str, type[Method]] = {"plain_l2": PlainL2, "augmentation": TurnedBatch, "dense": DenseBasis}
    if name in own:
        return own[name](subject, STRENGTH if own[name].tuned else None, generator=generator)
    return make_method(name, subject, None if name == "plain" else STRENGTH, generator=generator)


def step_of(method: Method, case: Case) -> Callable[[], object]:
    """One training step with SGD, the cheapest optimiser: it makes the plain step as small as steps are."""
    x, y = case.data()
    optimizer = method.optimizer(lambda groups: torch.optim.SGD(groups, lr=LEARNING_RATE))
    return lambda: training_step(method, optimizer, x, y, case.criterion)


def alone(name: str, network: TypedNetwork) -> tuple[Callable[[], object], Callable[[], object]]:
    """A method by itself outside a step, and what of that every step has anyway: the difference is what it adds.

    Of a loss term value and gradient, added to gradients that are there, beside a backward pass through nothing; of the
    decay the step of an optimiser that does nothing else, beside such a step without it.

    Args:
        name: ``"penalty"``, ``"decay"`` or ``"plain_l2"``.
        network: where; its gradients are made, and never used for a step.
    """
    subject = network.subject()
    parameters = list(subject.model.parameters())
    _fill_gradients(subject.model)
    if name == "decay":
        optimizer, idle = Still(parameters), Still(parameters)
        EquivarianceDecay(optimizer, subject.binding, strength=STRENGTH)
        return optimizer.step, idle.step
    nothing = torch.zeros((), device=parameters[0].device, requires_grad=True)
    nothing.grad = torch.zeros_like(nothing)
    term = partial(subject.binding.penalty, STRENGTH) if name == "penalty" else partial(plain_l2, subject)

    def added() -> None:
        (nothing + term()).backward()

    def idle_backward() -> None:
        (nothing + 0.0).backward()

    return added, idle_backward


def plain_l2(subject: Subject) -> torch.Tensor:
    """``s/2 |W|^2`` over the typed parameters."""
    return STRENGTH / 2 * torch.stack([W.pow(2).sum() for W in typed_parameters(subject)]).sum()


def _fill_gradients(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
