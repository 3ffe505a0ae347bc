"""Modules that know their own irreps, as e3nn's do: their weights act on copies alone, whatever code they generate."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from intertwine.errors import IntertwineError
from intertwine.groups import O3, Group
from intertwine.groups.adapters.notation import as_representation
from intertwine.representations import Representation
from intertwine.tracing.axes import fixed
from intertwine.tracing.context import Axes, ConflictError, Context
from intertwine.tracing.normal_form import carried

# Classes by the module that defines them. Others that carry irreps are looked into: their weights may be any.
PACKAGES = ("e3nn.o3.", "e3nn.nn._", "mace.modules.symmetric_contraction.")


def knows_its_irreps(kind: type) -> bool:
    """Whether a class of modules is of a package whose modules say what goes in and what comes out."""
    return f"{kind.__module__}.".startswith(PACKAGES) and issubclass(kind, nn.Module)


def accepts(module: Any, *args: Any, **kwargs: Any) -> bool:
    """Whether a module has irreps, and arguments of their widths."""
    ins, outs = irreps_in(module), irreps_out(module)
    tensors = _tensors(args, kwargs)
    return bool(ins and outs) and len(tensors) >= len(ins) and all(map(_fits, tensors, ins))


def own_irreps(ctx: Context, out: Any, module: Any, *args: Any, **kwargs: Any) -> Any:
    """Features of ``irreps_in`` (or ``irreps_in1``, ``irreps_in2``) to those of ``irreps_out``; weights are invariant.

    Raises:
        ConflictError: the group is no subgroup of O(3) as its matrices stand.
    """
    for parameter in module.parameters():
        for axis in ctx.axes(parameter):
            ctx.alone(axis, "has copies there")
    for buffer in module.buffers():
        ctx.type_of(buffer)  # one of its constants
    ins, outs = irreps_in(module), irreps_out(module)
    tensors = _tensors(args, kwargs)
    lead: Axes = []
    for tensor, irreps in zip(tensors, ins, strict=False):
        axes = ctx.axes(tensor)
        own = features(ctx.group, tensor, irreps)
        for axis, said in zip(axes[-len(own) :], own, strict=True):
            ctx.unify(axis, said)
        rest = axes[: -len(own)]
        lead = rest if len(rest) >= len(lead) else lead
    for tensor in tensors[len(ins) :]:
        for axis in ctx.axes(tensor):
            ctx.alone(axis, "takes them as weights")
    ctx.need_all(lead)
    results = [out] if isinstance(out, torch.Tensor) else list(out)
    found = [[*lead, carried(in_group(irreps, ctx.group))] for _, irreps in zip(results, outs, strict=False)]
    return found[0] if isinstance(out, torch.Tensor) else found


def features(group: Group, tensor: torch.Tensor, irreps: Any) -> Axes:
    """The last axes of a tensor of irreps: one axis, or copies and then one of each (MACE)."""
    if tensor.shape[-1] == irreps.dim:
        return [carried(in_group(irreps, group))]
    copies = tensor.shape[-2]
    whole = Representation(group, ())
    for copy in irreps:
        whole = whole + in_group(type(irreps)([(1, copy.ir)]), group)
    return [fixed(copies), carried(whole)]


def in_group(irreps: Any, group: Group) -> Representation:
    """Irreps of O(3) as the representation of a subgroup of it."""
    try:
        rep = as_representation(irreps, "irreps")
        return rep if rep.group == group else rep.restrict(group)
    except IntertwineError as error:
        raise ConflictError(f"{irreps} of {O3()} are no representation of {group}: {error}") from error


def irreps_in(module: Any) -> list[Any]:
    """What a module's first arguments carry."""
    if hasattr(module, "irreps_in1"):
        pair = [module.irreps_in1, module.irreps_in2]
        return pair[:1] if hasattr(module, "irreps_in") else pair  # a square of one argument
    given = getattr(module, "irreps_in", getattr(module, "irreps", None))
    return _listed(given)


def irreps_out(module: Any) -> list[Any]:
    """What its results carry."""
    given = getattr(module, "irreps_outs", getattr(module, "irreps_out", getattr(module, "irreps", None)))
    return _listed(given)


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    if hasattr(given, "dim") and hasattr(given, "lmax"):
        return [given]
    return list(given) if all(hasattr(one, "lmax") for one in given) else []


def _tensors(args: Sequence[Any], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    return [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]


def _fits(tensor: torch.Tensor, irreps: Any) -> bool:
    if tensor.ndim and tensor.shape[-1] == irreps.dim:
        return True
    copies = {copy.mul for copy in irreps}
    return tensor.ndim > 1 and len(copies) == 1 and list(tensor.shape[-2:]) == [*copies, irreps.dim // min(copies)]
