"""The arithmetic of one step: moments, components and the proximal step of several weights at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from intertwine._numerics import HALF, accumulation_dtype
from intertwine.errors import ArgumentError
from intertwine.projectors.norms.joint import JointMaps
from intertwine.projectors.norms.proximal import Rate, Shrinkage, shrink_
from intertwine.split.checks import check_dense_gradient
from intertwine.split.components import Split, Tensors, components, factor, joined
from intertwine.split.in_coefficients import take_in_coefficients, take_small_in_coefficients
from intertwine.split.labels import LabelledLayouts, Labels
from intertwine.split.options import Options

# The state of a weight: AdamW's names, a second moment a component, a copy of half-precision weights in float32.
STEP, FIRST, SECOND, MASTER = "step", "exp_avg", "exp_avg_sq_", "master"
# Entries that are worked on at a time: a step has some eight temporaries of their size.
ENTRIES = 2**20


@dataclass(frozen=True)
class Weight:
    """One typed weight in one step.

    Attributes:
        name: for errors.
        parameter: W, which has a gradient.
        split: its components.
        strengths: of each projector, now.
        state: of the optimiser.
    """

    name: str
    parameter: torch.Tensor
    split: Split
    strengths: tuple[float, ...]
    state: dict[str, Any]

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for weights that are worked on together."""
        W = self.parameter
        shrinkage = self.strengths if self.split.labels is not None else (len(self.strengths), self.split.has_own_norm)
        return W.device, accumulation_dtype(W.dtype), self.split.names, self.split.labels is None, shrinkage

    def value(self) -> torch.Tensor:
        """What is trained: W, or its copy in float32, brought up to date with what others wrote into W."""
        W = self.parameter
        if W.dtype not in HALF:
            return W
        master: torch.Tensor = self.state[MASTER]
        master.copy_(torch.where(master.to(W.dtype) == W, master, W.to(master.dtype)))
        return master

    def moments(self) -> dict[str, int | None]:
        """Names, with the number of entries; None for the weight's own shape."""
        names, pieces, labels = self.split.names, self.split.pieces, self.split.labels
        if pieces:
            sizes = {"+": pieces[-1].coefficients.stop, "-": pieces[-1].rest.stop}
        elif labels is not None:
            sizes = {"+": labels.rank, "-": self.parameter.numel()}
        else:
            return dict.fromkeys((FIRST, *(f"{SECOND}{name}" for name in names)))
        return {f"{kind}{name}": sizes[name] for name in names for kind in (f"{FIRST}_", SECOND)}

    def begin(self, *, capturable: bool) -> None:
        """Zeros for what the state lacks.

        Raises:
            ArgumentError: a state of another optimiser, or sparse gradients.
        """
        W = self.parameter
        check_dense_gradient(self.name, W)
        wanted = self.moments()
        if not self.state:
            dtype = accumulation_dtype(W.dtype)
            device = W.device if capturable or self.split.pieces else torch.device("cpu")
            self.state[STEP] = torch.zeros((), dtype=torch.float32, device=device)
            for key, size in wanted.items():
                self.state[key] = (
                    torch.zeros_like(W, dtype=dtype, memory_format=torch.preserve_format)
                    if size is None
                    else torch.zeros(size, dtype=dtype, device=W.device)
                )
            if W.dtype in HALF:
                self.state[MASTER] = W.detach().to(dtype, copy=True)
            return
        missing = [key for key in (STEP, *wanted, *([MASTER] if W.dtype in HALF else [])) if key not in self.state]
        if missing:
            raise ArgumentError(
                "state_dict",
                expected=f"the state of a SplitAdamW over the same bindings, which has {', '.join(missing)}",
                got=f"{', '.join(map(str, self.state))} for {self.name}",
                advice="A state of AdamW has no moments by component: begin anew, or train on with AdamW.",
            )


def take(
    weights: Sequence[Weight], options: Options, maps: JointMaps, layouts: LabelledLayouts, *, foreach: bool
) -> None:
    """One step of the weights of a param group."""
    alike: dict[tuple[object, ...], list[Weight]] = {}
    for weight in weights:
        weight.begin(capturable=options.capturable)
        if weight.split.pieces:
            _take_one(weight, options)
        else:
            alike.setdefault(weight.kind, []).append(weight)
    for together in alike.values():
        batch: list[Weight] = []
        for weight in together:
            full = sum(other.parameter.numel() for other in batch) + weight.parameter.numel() > ENTRIES
            if batch and (full or not foreach):
                _take(batch, options, maps, layouts)
                batch = []
            batch.append(weight)
        _take(batch, options, maps, layouts)


def _take_one(weight: Weight, options: Options) -> None:
    state, value = weight.state, weight.value()
    # The kernel wants the count where the weight is, which a file that was read on a processor does not have.
    state[STEP] = state[STEP].to(value.device)
    W, gradient, step = value.contiguous(), _gradient(weight, value).contiguous(), state[STEP].add_(1)
    moments, scale = [state[key] for key in weight.moments()], _factor(weight, "-", options.lr)
    take_in_coefficients(W, gradient, weight.split.pieces, moments, step, scale, options)
    if W is not weight.parameter:
        weight.parameter.copy_(W)
    if value is not weight.parameter and value is not W:
        value.copy_(W)


def _take(weights: Sequence[Weight], options: Options, maps: JointMaps, layouts: LabelledLayouts) -> None:
    labels = [weight.split.labels for weight in weights if weight.split.labels is not None]
    if labels:
        _take_labelled(weights, labels, options, layouts)
    else:
        _take_by_entry(weights, options, maps)


def _take_labelled(weights: Sequence[Weight], labels: list[Labels], options: Options, layouts: LabelledLayouts) -> None:
    values = [weight.value() for weight in weights]
    gradients = [_gradient(weight, value) for weight, value in zip(weights, values, strict=True)]
    steps: Tensors = [weight.state[STEP] for weight in weights]
    torch._foreach_add_(steps, 1)
    moments = [[weight.state[key] for weight in weights] for key in weights[0].moments()]
    scale, ranks = _factor(weights[0], "-", options.lr), [found.rank for found in labels]
    take_small_in_coefficients(values, gradients, layouts.get(labels), ranks, moments, steps, scale, options)
    for weight, value in zip(weights, values, strict=True):
        if value is not weight.parameter:
            weight.parameter.copy_(value)


def _take_by_entry(weights: Sequence[Weight], options: Options, maps: JointMaps) -> None:
    splits = [weight.split for weight in weights]
    names = splits[0].names
    values = [weight.value() for weight in weights]
    gradients = [_gradient(weight, value) for weight, value in zip(weights, values, strict=True)]
    if options.maximize:
        gradients = list(torch._foreach_neg(gradients))
    first = [weight.state[FIRST] for weight in weights]
    steps: Tensors = [weight.state[STEP] for weight in weights]
    torch._foreach_add_(steps, 1)
    parts = components(gradients, splits, maps)
    # A first moment of one component alone lies in it: nothing needs to be projected.
    torch._foreach_lerp_(first, parts[names[0]] if len(names) == 1 else gradients, 1 - options.beta1)
    means = {names[0]: first} if len(names) == 1 else components(first, splits, maps)
    sizes, roots = _corrections(steps, options)
    torch._foreach_mul_(values, 1 - options.lr * options.weight_decay)
    moved = {}
    for name in names:
        second = _real([weight.state[f"{SECOND}{name}"] for weight in weights])
        gradient = _real(parts[name])
        torch._foreach_mul_(second, options.beta2)
        torch._foreach_addcmul_(second, gradient, gradient, 1 - options.beta2)
        width = torch._foreach_sqrt(second)
        torch._foreach_div_(width, roots)
        torch._foreach_add_(width, options.eps)
        change = torch._foreach_div(_real(means[name]), width)
        torch._foreach_mul_(change, sizes)
        torch._foreach_add_(change, _real(values))
        torch._foreach_mul_(change, _factors(weights, name, options))
        moved[name] = _shaped(change, values)
    new = joined(moved, splits, maps)
    if new is None:
        torch._foreach_zero_(values)
    else:
        torch._foreach_copy_(values, new)
    if splits[0].has_own_norm:
        pairs = [
            (value, weight.split.projectors[0], weight.strengths[0])
            for weight, value in zip(weights, values, strict=True)
        ]
        shrink_([Shrinkage(W, [(P, s)], options.lr) for W, P, s in pairs if s], maps)
    for weight, value in zip(weights, values, strict=True):
        if value is not weight.parameter:
            weight.parameter.copy_(value)


def _gradient(weight: Weight, value: torch.Tensor) -> torch.Tensor:
    gradient = weight.parameter.grad
    assert gradient is not None  # noqa: S101 - weights without one take no step
    return gradient.to(value.dtype)


def _corrections(steps: Tensors, options: Options) -> tuple[Any, Any]:
    """By weight, ``-lr / (1 - b1^t)`` and ``sqrt(1 - b2^t)``: numbers, or tensors where steps are not waited for."""
    if options.capturable:
        sizes = [-options.lr / (1 - options.beta1**step) for step in steps]
        return sizes, [(1 - options.beta2**step).sqrt() for step in steps]
    counts = [float(step) for step in steps]
    sizes = [-float(options.lr) / (1 - options.beta1**count) for count in counts]
    return sizes, [math.sqrt(1 - options.beta2**count) for count in counts]


def _factors(weights: Sequence[Weight], name: str, options: Options) -> Any:
    factors = [_factor(weight, name, options.lr) for weight in weights]
    if not isinstance(options.lr, torch.Tensor):
        return factors
    return [torch.full_like(options.lr, f) if isinstance(f, float) else f for f in factors]


def _factor(weight: Weight, name: str, lr: Rate) -> Rate:
    return 1.0 if weight.split.has_own_norm else factor(weight.strengths, name, lr)


def _real(tensors: Tensors) -> Tensors:
    """Complex tensors as pairs of numbers, which have moments of their own, as in AdamW."""
    return [torch.view_as_real(X) if X.is_complex() else X for X in tensors]


def _shaped(tensors: Sequence[torch.Tensor], like: Tensors) -> Tensors:
    """Inverse of ``_real``."""
    return [torch.view_as_complex(X) if Y.is_complex() else X for X, Y in zip(tensors, like, strict=True)]
