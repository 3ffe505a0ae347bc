"""Typing a model: by hand, names of modules and parameters to representations, or inferred from one run."""

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import torch
from torch import nn

from intertwine._arguments import flag
from intertwine.binding.binding import Binding
from intertwine.binding.by_hand import ReadTypes
from intertwine.binding.inferred import Options, bind_inferred
from intertwine.errors import ArgumentError, listing
from intertwine.groups import Group
from intertwine.layers.rule import Rules, check_rules
from intertwine.tracing.policy import HiddenByUnknown

# None says that the group leaves an input alone.
UNSAID: Any = object()


def bind(  # noqa: PLR0913 - a keyword for each thing that may be said of a model
    model: nn.Module,
    types: Mapping[str, object] | None = None,
    *,
    rep_in: object = UNSAID,
    rep_out: object = UNSAID,
    hidden: Callable[[int], object] | HiddenByUnknown | None = None,
    example: Any = None,
    group: Group | None = None,
    overrides: Mapping[str, object] | None = None,
    rules: Mapping[Any, Any] | None = None,
    strict: bool = False,
    check: bool = True,
) -> Binding:
    """Say how a group acts on the parameters of a model: by hand, or inferred from one run of it.

    **By hand**, ``bind(model, types)``:

    ``(g.W) = rho_out(g) W rho_in(g)^-1`` for the weight of a linear map, ``(g.K)(x) = rho_out(g) K(g^-1 x)
    rho_in(g)^-1`` for a kernel, ``(g.b) = rho_out(g) b`` for their biases, and one representation an axis for any
    other tensor. Everything that is not named stays as it is and is listed as
    ``binding.unaccounted``.

    A layer that carries its types, as the ``rep_in`` and ``rep_out`` of those of ``intertwine.nn``, need not be named:
    it types itself where its group is that of the others. Layers of your own are bound by a rule (``rules``).

    **Inferred**, ``bind(model, rep_in=..., rep_out=..., example=x)``: the model runs once, every torch function in it
    is seen with the types of its tensors, and what functions ask of each other types all parameters. Hidden features
    that remain open carry what ``hidden`` says. Then every call is repeated on moved arguments, with projected weights
    on a copy: ``binding.breakers`` lists what does not commute with the group, ``binding.notes`` what was forced,
    ``binding.unaccounted`` the parameters that stay untyped, ``binding.types`` the types of all calls.

    Args:
        model: any module; it is neither changed nor copied (the check works on a copy).
        types: what each name carries; None with ``rep_in``, ``rep_out`` and ``example`` to infer it.

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
            * name of a layer with an adapter of peft (LoRA, DoRA, LoHa, OFT, ...) -> the type of the layer inside: its
              weight is the *effective* one, that of base and adapter together, merged or not;
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
        rep_in: how the group acts on the example: a representation (on the last axis), ``iw.on_grid(rep)`` for images,
            None for an input that it leaves alone; tuples and dictionaries of these, as ``equivariance_error`` takes.
        rep_out: the same for the output.
        hidden: width of hidden features to their representation, or what ``fit_representation`` found. Default:
            quotient fields, the largest first (finite groups); for Lie groups vectors for half of the features, where
            no pointwise function forbids it.
        example: what the model takes: a tensor, a tuple of arguments or a dictionary of them; two samples at least, so
            that axes of length 1 mean something.
        group: needed only if neither ``rep_in`` nor ``rep_out`` has a representation.
        overrides: names typed by hand as in ``types``; the rest is inferred around them.
        rules: what layers of your own mean, ``{MyLayer: iw.LayerRule(parameters=...)}``; they come before ours, and
            reports use them too. Inferred: also rules of functions, ``{torch.special.expit: rule}``, where
            ``rule(ctx, out, *args, **kwargs)`` gives the axes of the result (``intertwine.tracing.functions``), and of
            classes of modules and Python functions that are one call each, ``{MyHarmonics: rule}``, the module first.
        strict: raise where a function is unknown, a parameter stays untyped, a call breaks the symmetry, or the output
            is not of the type that was asked for.
        check: whether to repeat every call on moved arguments; without it ``breakers`` is empty.

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
        >>> D4, net = iw.Dihedral(4), torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU())
        >>> images, features = iw.on_grid(3 * D4.trivial()), iw.on_grid(2 * D4.regular())
        >>> inferred = iw.bind(net, rep_in=images, rep_out=features, example=torch.ones(2, 3, 9, 9))
        >>> inferred["0.weight"].projector.rank, inferred.breakers
        (54, ())
    """
    if not isinstance(model, nn.Module):
        raise ArgumentError("model", expected="a torch.nn.Module", got=type(model).__name__)
    inferred = rep_in is not UNSAID or rep_out is not UNSAID or example is not None
    scripted = [name for name, module in model.named_modules() if isinstance(module, torch.jit.ScriptModule)]
    if scripted and not inferred:  # what knows its own irreps may hold scripted code, and is seen from outside
        raise ArgumentError(
            "model",
            expected="modules of Python code",
            got=f"scripted ones: {listing(name or '(the model)' for name in scripted)}",
            advice="Bind the model before torch.jit.script.",
        )
    layers, functions = split_rules(rules)
    if inferred:
        if types is not None:
            raise ArgumentError(
                "types",
                expected="None where types are inferred from an example",
                got=type(types).__name__,
                advice="To type some names by hand and infer the rest give overrides=.",
            )
        missing = "example" if example is None else "rep_in" if rep_in is UNSAID else "rep_out"
        if rep_in is UNSAID or rep_out is UNSAID or example is None:
            raise ArgumentError(
                missing,
                expected="a value, as types are to be inferred",
                got="none",
                advice="None as a representation says that the group leaves it alone.",
            )
        given = {} if overrides is None else overrides
        options = Options(hidden, group, given, layers, functions, flag("strict", strict), flag("check", check))
        return bind_inferred(model, (rep_in, rep_out), example, options)
    for name, value in (("hidden", hidden), ("group", group), ("overrides", overrides), ("rules", functions or None)):
        if value is not None:
            raise ArgumentError(name, expected="nothing with types by hand", got=type(value).__name__)
    types = {} if types is None else types
    if not isinstance(types, Mapping):
        raise ArgumentError("types", expected="a mapping from names to representations", got=type(types).__name__)
    read = ReadTypes(model, types, layers, "types")
    read.add_own()
    if not read.slots:
        raise ArgumentError("types", expected="at least one name", got="none", advice=f"There are {read.names()}.")
    return Binding(model, read.entries(), read.ends, layers)


def _is_whole(kind: type, rule: object) -> bool:
    """Whether a rule takes modules of a class as one call of a run, which the parameters' rules (LayerRule) do not."""
    return issubclass(kind, nn.Module) and isinstance(rule, FunctionType)


def split_rules(rules: Mapping[Any, Any] | None) -> tuple[Rules, dict[Any, Any]]:
    """Rules of layers, by class, and rules of functions.

    Raises:
        ArgumentError: they are neither.
    """
    if rules is None:
        return {}, {}
    if not isinstance(rules, Mapping):
        return check_rules(rules), {}
    functions = {
        key: rule
        for key, rule in rules.items()
        if callable(key) and (not isinstance(key, type) or _is_whole(key, rule))
    }
    for key, rule in functions.items():
        if not callable(rule):
            raise ArgumentError(
                f"rules[{getattr(key, '__name__', key)!r}]",
                expected="a function (ctx, out, *args, **kwargs) -> axes",
                got=type(rule).__name__,
            )
    return check_rules({key: rule for key, rule in rules.items() if key not in functions}), functions
