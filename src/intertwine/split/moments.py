"""The arithmetic of one step: moments, components and the proximal step of several weights at once."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from intertwine.projectors.norms.joint import JointMaps
from intertwine.projectors.norms.proximal import Shrinkage, shrink_
from intertwine.split.components import Tensors, components, joined
from intertwine.split.in_coefficients import take_by_pieces, take_labelled
from intertwine.split.labels import BagsOfSeveral
from intertwine.split.options import Options
from intertwine.split.weight import FIRST, SECOND, STEP, Weight

# Entries that are worked on at a time: a step has some eight temporaries of their size.
ENTRIES = 2**20


def take(weights: Sequence[Weight], options: Options, maps: JointMaps, bags: BagsOfSeveral, *, foreach: bool) -> None:
    """One step of the weights of a param group."""
    alike: dict[tuple[object, ...], list[Weight]] = {}
    for weight in weights:
        weight.begin(capturable=options.capturable)
        if weight.split.pieces:
            take_by_pieces(weight, options)
        else:
            alike.setdefault(weight.kind, []).append(weight)
    for together in alike.values():
        batch: list[Weight] = []
        for weight in together:
            full = sum(other.entries for other in batch) + weight.entries > ENTRIES
            if batch and (full or not foreach):
                _take(batch, options, maps, bags)
                batch = []
            batch.append(weight)
        _take(batch, options, maps, bags)


def _take(weights: Sequence[Weight], options: Options, maps: JointMaps, bags: BagsOfSeveral) -> None:
    if weights[0].split.labels is not None:
        take_labelled(weights, options, bags)
    else:
        _take_by_entry(weights, options, maps)


def _take_by_entry(weights: Sequence[Weight], options: Options, maps: JointMaps) -> None:
    splits = [weight.split for weight in weights]
    names = splits[0].names
    values = [weight.value() for weight in weights]
    gradients = [weight.gradient() for weight in weights]
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


def _corrections(steps: Tensors, options: Options) -> tuple[Any, Any]:
    """By weight, ``-lr / (1 - b1^t)`` and ``sqrt(1 - b2^t)``: numbers, or tensors where steps are not waited for."""
    if options.capturable or torch.compiler.is_compiling():
        sizes = [-options.lr / (1 - options.beta1**step) for step in steps]
        return sizes, [(1 - options.beta2**step).sqrt() for step in steps]
    counts = [float(step) for step in steps]
    sizes = [-float(options.lr) / (1 - options.beta1**count) for count in counts]
    return sizes, [math.sqrt(1 - options.beta2**count) for count in counts]


def _factors(weights: Sequence[Weight], name: str, options: Options) -> Any:
    factors = [weight.factor(name, options.lr) for weight in weights]
    if not isinstance(options.lr, torch.Tensor):
        return factors
    return [torch.full_like(options.lr, f) if isinstance(f, float) else f for f in factors]


def _real(tensors: Tensors) -> Tensors:
    """Complex tensors as pairs of numbers, which have moments of their own, as in AdamW."""
    return [torch.view_as_real(X) if X.is_complex() else X for X in tensors]


def _shaped(tensors: Sequence[torch.Tensor], like: Tensors) -> Tensors:
    """Inverse of ``_real``."""
    return [torch.view_as_complex(X) if Y.is_complex() else X for X, Y in zip(tensors, like, strict=True)]
