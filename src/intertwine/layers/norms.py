"""Norm layers: diagonal weights, fixed biases, running statistics, and whether their own statistics keep a symmetry."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from intertwine.errors import ArgumentError, ShapeError
from intertwine.layers.channels.broadcast import ones_character
from intertwine.layers.channels.checks import check_groups, check_mean_of_all, check_norm_of_all, check_pointwise
from intertwine.layers.grid.finding import Finding
from intertwine.layers.layer_type import Kind, LayerType, Slot
from intertwine.layers.rule import LayerRule
from intertwine.representations import Representation

DIAGONAL = ("weight", "running_var")
FIXED = ("bias", "running_mean")
KINDS: dict[str, Kind] = {"weight": "weight", "bias": "bias", "running_var": "buffer", "running_mean": "buffer"}


def parameters(module: nn.Module, layer_type: LayerType) -> tuple[Slot, ...]:
    """``y = w (x - mean) / sqrt(var + eps) + b``: w and var are diagonal maps, b and mean fixed vectors.

    Raises:
        ShapeError: the representation has another width.
        ArgumentError: the layer's own statistics break the symmetry, whatever its weights are.
    """
    layer_type.check_options(("over",), module)
    rep, over = layer_type.rep_out, layer_type.over
    slots = []
    for name in (*DIAGONAL, *FIXED):
        value = getattr(module, name, None)
        if not isinstance(value, torch.Tensor):
            continue
        shape = tuple(value.shape)
        if value.numel() != rep.dim:
            raise ShapeError(
                layer_type.argument,
                expected=f"a representation of dimension {value.numel()}, as {name} has shape {shape}",
                got=f"dimension {rep.dim}, from {rep}",
            )
        kind = KINDS[name]
        slots.append((layer_type.diagonal if name in DIAGONAL else layer_type.vector)(name, rep, shape, kind))
    found = statistics(module, rep, over)
    if slots and not found.keeps:
        raise ArgumentError(
            layer_type.argument,
            expected=f"a representation that the statistics of {type(module).__name__} keep",
            got=f"{rep}{'' if over is None else f' over {over}'}: {found.reason}",
            advice=f"{found.advice} Its weights alone are typed by name, with iw.diagonal_projector(rep).",
        )
    return tuple(slots)


@dataclass(frozen=True)
class Statistics:
    """What a norm layer's own statistics do to a representation.

    Attributes:
        keeps: whether they commute with it in eval mode, weights and running statistics being equivariant.
        reason: why not; or, where they commute in eval mode alone, why not in training.
        advice: what to use instead, "" where nothing is to be done.
    """

    keeps: bool
    reason: str = ""
    advice: str = ""


def statistics(module: nn.Module, rep: Representation, over: Representation | None = None) -> Statistics:
    """What the statistics of a norm layer do to channels of type ``rep``.

    Args:
        module: the layer.
        rep: how the group acts on its channels.
        over: how it acts on another axis, as in ``Typed``.

    Examples:
        >>> import intertwine as iw
        >>> rep = iw.SO(3).irreps("2x1")
        >>> statistics(nn.RMSNorm(6), rep).keeps, statistics(nn.LayerNorm(6), rep).keeps
        (True, False)
        >>> statistics(nn.BatchNorm1d(6), rep).reason
        'in training it divides each channel by its own deviation: the group mixes the components of 1'
    """
    ours = "Use iw.nn.FieldNorm."
    if isinstance(module, nn.RMSNorm | nn.LayerNorm):
        # On features alone: each component along another axis has a norm of its own.
        ok, reason = (True, "") if over is None else check_pointwise(over, odd=True)
        reason = reason and f"it divides each component of {over} by its own norm: {reason}"
        if ok:
            ok, reason = check_norm_of_all(rep)
        if ok and isinstance(module, nn.LayerNorm):
            ok, reason = check_mean_of_all(rep)
            ours = "Use iw.nn.FieldNorm, or nn.RMSNorm, which takes no mean off."
        return Statistics(ok, reason, "" if ok else ours)
    # The others take the mean along every axis but the channels'.
    shared = over is None or ones_character(over) is not None
    mean = "" if shared else f"its mean adds up the components of {over}, which the group mixes"
    if isinstance(module, nn.GroupNorm):
        ok, reason = check_groups(rep, module.num_groups)
        ours = "Choose groups that hold whole fields, permuted ones, or use iw.nn.FieldNorm."
        return Statistics(ok and shared, reason or mean, "" if ok and shared else ours)
    # Each channel by itself. BatchNorm takes its statistics over a batch that the group moves as a whole, so that a
    # mean off each channel commutes; a deviation of each channel must be permuted.
    ok, reason = check_groups(rep, rep.dim, mean=not isinstance(module, _BatchNorm))
    if ok and shared:
        return Statistics(True)
    reason = mean if ok else f"it divides each channel by its own deviation: {_mixing(rep) or reason}"
    if getattr(module, "track_running_stats", False):
        return Statistics(True, f"in training {reason}", ours)
    return Statistics(False, reason, ours)


def _mixing(rep: Representation) -> str:
    ok, reason = check_pointwise(rep, odd=True)
    return "" if ok else reason


def fits(module: nn.Module, rep: Representation, over: Representation | None = None) -> Finding | None:
    """What its own statistics do to channels of this type; where they commute in eval mode alone, it depends."""
    if _features(module) != rep.dim:
        return None
    found = statistics(module, rep, over)
    if not found.keeps:
        return Finding("breaks", found.reason, found.advice)
    if found.reason:
        return Finding("depends", f"exact in eval mode, but {found.reason}", found.advice)
    return Finding("keeps", "")


def _features(module: nn.Module) -> int:
    """How many channels the layer acts on."""
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return int(module.normalized_shape[0])  # with pixels behind it, they are permuted and change nothing
    return int(getattr(module, "num_features", getattr(module, "num_channels", 0)))


def _rule(note: str) -> LayerRule:
    return LayerRule(parameters, fits=fits, same=True, note=note)


NORMS: dict[type[nn.Module], LayerRule] = {
    _BatchNorm: _rule("affine weights and statistics must be constant on orbits"),
    _InstanceNorm: _rule("affine weights must be constant on orbits"),
    nn.GroupNorm: _rule("its groups must hold whole fields"),
    nn.LayerNorm: _rule("mean or affine weights over all features: they must be constant on each field"),
    nn.RMSNorm: _rule("mean or affine weights over all features: they must be constant on each field"),
}
