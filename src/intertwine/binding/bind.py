"""Typing a model by hand: names of modules and parameters to representations."""

import warnings
from collections.abc import Mapping

from torch import nn

from intertwine.binding.binding import Binding
from intertwine.binding.entry import Entry
from intertwine.binding.model_tensors import ModelTensor, model_tensors
from intertwine.binding.names import axes_text, nearest
from intertwine.binding.type_reader import TypeReader, check_tensor
from intertwine.errors import ArgumentError, GroupMismatchError, RankZeroWarning, UnknownNameError
from intertwine.layers.layer_type import Slot
from intertwine.layers.registry import own_ends, parameters_of, rule_of
from intertwine.layers.rule import Rules, check_rules
from intertwine.layers.typed import Ends


def bind(model: nn.Module, types: Mapping[str, object] | None = None, *, rules: Rules | None = None) -> Binding:
    """Say how a group acts on the parameters of a model.

    ``(g.W) = rho_out(g) W rho_in(g)^-1`` for the weight of a linear map, ``(g.K)(x) = rho_out(g) K(g^-1 x)
    rho_in(g)^-1`` for a kernel, ``(g.b) = rho_out(g) b`` for their biases, and one representation an axis for any
    other tensor. Everything that is not named stays as it is and is listed as
    ``binding.unaccounted``.

    A layer that carries its types, as the ``rep_in`` and ``rep_out`` of those of ``intertwine.nn``, need not be named:
    it types itself where its group is that of the others. Layers of your own are bound by a rule (``rules``).

    Args:
        model: any module; it is neither changed nor copied.
        types: what each name carries.

            * name of a linear, convolutional, embedding or attention module -> ``(rep_in, rep_out)``, or
              ``iw.Typed(rep_in, rep_out, ...)`` with options:

              * ``nn.Linear``: weight (out, in) and bias; likewise any module that holds a weight and at most a bias and
                computes ``x W^T + b``, or ``x W + b`` with W (in, out), which is tried on two rows (PyTorch
                Geometric's ``Linear``, transformers' ``Conv1D``);
              * ``nn.Conv1d``, ``2d``, ``3d`` and ``nn.ConvTranspose1d``, ``2d``, ``3d``, with any stride, dilation and
                padding; ``groups`` where each holds equal whole fields, or where the group permutes channels and takes
                groups onto groups. Space turns as the group's standard representation says, or ``space=``;
              * ``nn.Embedding``, ``nn.EmbeddingBag``: ``rep_in`` permutes the tokens;
              * ``nn.MultiheadAttention``: also its ``out_proj``. ``hidden=`` says how the group acts on the projected
                queries, keys and values; each head holds whole fields of it;
            * name of a norm layer (Batch, Instance, Group, Layer, RMS) -> one representation. Weight and running
              variance are diagonal maps, bias and running mean fixed vectors. What the layer takes off and divides by
              must keep the symmetry too: whole fields in each group of channels, a mean whose all-ones vector is fixed
              up to sign, deviations of channels that the group permutes;
            * name of a parameter or buffer -> a representation for a vector, or a tuple with a representation (or
              None: no action) per axis, in the tensor's own order. ``(rep_in, rep_out)`` of a linear weight is
              ``(rep_out, rep_in.dual())`` here. A representation may span several axes: a positional table (1, T, D)
              or (H, W, D) is ``(G.grid(H, W), rep)``;
            * name of a parameter or buffer -> a ``Projector`` of its shape, for all else.

            Features whose vector index is on another axis than the channels, (atoms, 3, channels) or (channels, 3, 3),
            are typed by ``iw.Typed(rep_in, rep_out, over=G.irrep(1))``. ``""`` is the model itself. Representations of
            e3nn, cuEquivariance and escnn are taken as they are. A parameter tied under two names may be typed under
            either, or alike under both. None: every layer types itself.
        rules: what layers of your own mean, ``{MyLayer: iw.LayerRule(parameters=...)}``; they come before ours, and
            reports use them too.

    Returns:
        A ``Binding``: penalty, projection, initialisation and measurements of the typed parameters.

    Raises:
        UnknownNameError: a name that the model does not have; the message lists those that it has.
        ArgumentError: a tensor typed twice, a pair for a module of unknown type, a lazy parameter without a shape yet,
            a weight computed by hooks, a sharded one, groups of a convolution, of a norm or heads of an attention that
            cut fields, a norm layer whose statistics break the symmetry, ``rules`` that are none.
        ShapeError: representations that do not fit the widths.
        DtypeError: integers, or real parameters under a complex representation.
        GroupMismatchError: representations of different groups; bind once for each group.

    Warns:
        RankZeroWarning: a parameter has no equivariant value but zero, as the bias of a layer without invariant
            outputs.

    Source:
        Berndt and Stuehmer, arXiv 2601.05028 (the projected weight); Kim et al. 2023, "Regularizing towards soft
        equivariance under mixed symmetries" (PER).

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.SO(3)
        >>> rep_x, rep_h = G.irreps("2x1"), G.irreps("16x0 + 8x1")
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Linear(6, 40), iw.nn.NormActivation(rep_h), torch.nn.Linear(40, 6, bias=False)
        ... )
        >>> binding = iw.bind(model, {"0": (rep_x, rep_h), "2": (rep_h, rep_x)})
        >>> binding
        Binding(SO(3), 3 typed, 0 unaccounted)
          0.weight (40, 6)  16x0 + 8x1, 2x1  rank 16 of 240
          0.bias (40,)  16x0 + 8x1  rank 16 of 40
          2.weight (6, 40)  2x1, 16x0 + 8x1  rank 16 of 240
        >>> loss = model(torch.zeros(5, 6)).square().mean() + binding.penalty(strength=0.1)
    """
    if not isinstance(model, nn.Module):
        raise ArgumentError("model", expected="a torch.nn.Module", got=type(model).__name__)
    types = {} if types is None else types
    if not isinstance(types, Mapping):
        raise ArgumentError("types", expected="a mapping from names to representations", got=type(types).__name__)
    known = check_rules(rules)
    modules = dict(model.named_modules(remove_duplicate=False))
    tensors = model_tensors(modules)
    reader = TypeReader(tensors, known)
    slots: dict[str, Slot] = {}
    arguments: dict[str, str] = {}
    ends: dict[str, Ends] = {}
    for name, value in types.items():
        argument = f"types[{name!r}]"
        if name in modules:
            found, ends[name] = reader.module(modules[name], name, value, argument)
        elif name in tensors:
            found = {name: reader.tensor(name, value, argument)}
        else:
            raise UnknownNameError(
                "types",
                expected=f"names of modules, parameters and buffers: {nearest(str(name), [*modules, *tensors])}",
                got=repr(name),
            )
        _add(slots, arguments, found, argument)
    _check_group(slots, arguments)
    typed = {tensors[full].identity for full in slots}
    for name, module in modules.items():
        own = None if name in types else own_ends(module)
        value = None if own is None else _own_type(module, own, slots, known)
        if value is not None:
            argument = f"the type that {name or 'the model'!r} carries"
            found, ends[name] = reader.module(module, name, value, argument)
            free = {full: slot for full, slot in found.items() if tensors[full].identity not in typed}
            _add(slots, arguments, free, argument)
    if not slots:
        raise ArgumentError(
            "types", expected="at least one name", got="none", advice=f"There are {nearest('', [*modules, *tensors])}."
        )
    return Binding(model, _entries(tensors, slots, arguments), ends, known)


def _add(slots: dict[str, Slot], arguments: dict[str, str], found: Mapping[str, Slot], argument: str) -> None:
    """More slots, each of a tensor that has none."""
    for full, slot in found.items():
        if full in slots:
            raise ArgumentError(
                argument,
                expected="each tensor typed once",
                got=f"{full!r} once more, after {arguments[full]}",
                advice="Name the module or its parameters, not both.",
            )
        slots[full], arguments[full] = slot, argument


def _own_type(module: nn.Module, own: Ends, slots: Mapping[str, Slot], rules: Rules) -> object:
    """The type that a module carries, as ``types`` would say it; None where nothing of it is to be typed so."""
    if next(module.parameters(), None) is None and next(module.buffers(), None) is None:
        return None
    # Of another group: bind once for each, and the module types itself then.
    if slots and own.rep_in.group != next(iter(slots.values())).projector.group:
        return None
    if parameters_of(module, rules) is None:
        return None
    return own.rep_in if rule_of(module, rules).same else (own.rep_in, own.rep_out)


def _check_group(slots: Mapping[str, Slot], arguments: Mapping[str, str]) -> None:
    """Whether all projectors are of one group."""
    if not slots:
        return
    first = next(iter(slots))
    group = slots[first].projector.group
    for name, slot in slots.items():
        if slot.projector.group != group:
            raise GroupMismatchError(
                arguments[name],
                expected=f"representations of {group}, as {arguments[first]} has",
                got=f"one of {slot.projector.group}",
                advice="Bind once for each group, or restrict all to a common subgroup.",
            )


def _entries(
    tensors: Mapping[str, ModelTensor], slots: Mapping[str, Slot], arguments: Mapping[str, str]
) -> tuple[Entry, ...]:
    """Entries in the order of ``types``; tensors tied under several names once."""
    seen: dict[object, str] = {}
    entries = []
    for name, slot in slots.items():
        tensor, P = tensors[name], slot.projector
        value = tensor.value
        check_tensor(name, value, P, arguments[name])
        other = seen.setdefault(tensor.identity, name)
        if other != name:
            if slots[other].projector is not P:
                raise ArgumentError(
                    arguments[name],
                    expected=f"the type of {other!r}, to which {name!r} is tied",
                    got=f"{axes_text(P)} against {axes_text(slots[other].projector)}",
                    advice="They are one tensor: type it once.",
                )
            continue
        if P.rank == 0 and value.numel():
            warnings.warn(
                f"{name}: {P.group} leaves no value of it fixed but zero "
                f"({P.reason or axes_text(P)}), so that its projection is zero.",
                RankZeroWarning,
                stacklevel=3,
            )
        entries.append(Entry(name, tensor.module, tensor.attribute, P, slot.kind, slot.output, slot.space))
    return tuple(entries)
