"""What one layer type means: a value a type, for torch's layers, for ours and for those of users."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import nn

from intertwine._arguments import check_function, check_instance
from intertwine.errors import ArgumentError, with_article
from intertwine.layers.effective.given import Effective
from intertwine.layers.grid.finding import Finding, Sides
from intertwine.layers.grid.grid_map import GridMap
from intertwine.layers.layer_type import LayerType, Slot
from intertwine.representations import Representation

Parameters = Callable[[Any, LayerType], tuple[Slot, ...]]
Grid = Callable[[Any, Sides, Sides], GridMap | Finding]
Fits = Callable[[Any, Representation, Representation | None], Finding | None]
Propagate = Callable[[Any, Representation], Representation | None]
Rules = Mapping[type[nn.Module], "LayerRule"]

# Where a class carries its own rule; those that inherit from it find it along their ancestry.
ATTRIBUTE = "__layer_rule__"
# What each question hands over beside the module.
_ASKED = {"parameters": "layer_type", "grid": "sides_in, sides_out", "fits": "rep, over", "propagate": "rep"}
_Module = TypeVar("_Module", bound=type[nn.Module])


@dataclass(frozen=True)
class LayerRule:
    """What one layer type means, as far as it is known; each of its functions is given the module first.

    ``bind`` asks for parameters, ``report`` for what a layer does to channels, ``geometry`` for what it does to pixels.
    A rule holds for a class and those that inherit from it, and goes to ``bind`` and ``geometry`` as
    ``rules={MyLayer: rule}``, or stands on the class itself (``layer_rule``).

    Attributes:
        parameters: ``(module, layer_type) -> slots``: the projector of each tensor, from ``layer_type.rep_in`` and
            ``rep_out``; ``layer_type.matrix``, ``vector``, ``diagonal`` and ``tensor`` make them.
        grid: ``(module, sides_in, sides_out) -> what it does to the pixels``: a ``GridMap`` such as
            ``iw.layers.convolution_windows(...)``, which turns, mirrors and shifts judge, or a ``Finding``.
        fits: ``(module, rep, over) -> Finding``: whether it keeps channels that carry ``rep`` (and, on another axis,
            ``over`` or None), its own weights being equivariant; None where it acts on another number of channels.
        propagate: ``(module, rep) -> the representation of its outputs``, or None where it has none; without it, a
            layer that has ``fits`` hands on what comes in.
        same: whether one representation types it, what goes in being like what comes out (norm layers).
        equivariant: whether it is so by construction, whatever its weights are, under the ``rep_in`` and ``rep_out``
            that it carries.
        alike: whether it treats every channel alike and linearly, so that there is nothing to say of any type.
        note: what equivariance asks of it, for reports in which no type reaches it.
        effective: tensors that it computes of its parameters, by the names that ``parameters`` gives slots for:
            ``iw.layers.Effective``.

    Raises:
        ArgumentError: an attribute that is none of these.

    Examples:
        >>> import intertwine as iw, torch
        >>> class Scale(torch.nn.Module):
        ...     def __init__(self, width):
        ...         super().__init__()
        ...         self.gamma = torch.nn.Parameter(torch.ones(width))
        ...
        ...     def forward(self, x):
        ...         return self.gamma * x
        >>> rule = iw.LayerRule(
        ...     parameters=lambda module, layer_type: (
        ...         layer_type.diagonal("gamma", layer_type.rep_in, tuple(module.gamma.shape)),
        ...     ),
        ...     same=True,
        ... )
        >>> iw.bind(Scale(8), {"": 2 * iw.Cyclic(4).regular()}, rules={Scale: rule})
        Binding(C4, 1 typed, 0 unaccounted)
          gamma (8,)  2xregular  rank 2 of 8
    """

    parameters: Parameters | None = None
    grid: Grid | None = None
    fits: Fits | None = None
    propagate: Propagate | None = None
    same: bool = False
    equivariant: bool = False
    alike: bool = False
    note: str = ""
    effective: Mapping[str, Effective] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _ASKED:
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise ArgumentError(name, expected="a function of the module, or None", got=type(value).__name__)
        for name in ("same", "equivariant", "alike"):
            check_instance(name, getattr(self, name), bool, "True or False")
        check_instance("note", self.note, str, "a text")
        check_instance("effective", self.effective, Mapping, "a mapping from names of tensors to iw.layers.Effective")
        for name, way in self.effective.items():
            check_instance(f"effective[{name!r}]", way, Effective, "an iw.layers.Effective")


def layer_rule(rule: LayerRule) -> Callable[[_Module], _Module]:
    """Says on a class of modules what its layers mean: ``@layer_rule(LayerRule(...))`` above ``class MyLayer``.

    The rule is an attribute of the class, found along the classes that a module inherits from: nothing is registered,
    and no order of imports matters. ``rules=`` of ``bind`` and ``geometry`` comes first.

    Raises:
        ArgumentError: not a rule, or not a class of modules.

    Examples:
        >>> import intertwine as iw, torch
        >>> @iw.layer_rule(iw.LayerRule(fits=iw.layers.pointwise))
        ... class Cube(torch.nn.Module):
        ...     def forward(self, x):
        ...         return x**3
    """
    _check_rule("rule", rule)

    def stated(kind: _Module) -> _Module:
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise ArgumentError("layer_rule", expected="a class of torch.nn.Module", got=repr(kind)[:60])
        setattr(kind, ATTRIBUTE, rule)
        return kind

    return stated


def check_rules(rules: object) -> Rules:
    """``rules`` as ``bind`` and ``geometry`` take them; None is none.

    Raises:
        ArgumentError: they are no mapping of classes of modules to rules.
    """
    if rules is None:
        return {}
    if not isinstance(rules, Mapping):
        raise ArgumentError("rules", expected="a mapping {MyLayer: LayerRule(...)}", got=type(rules).__name__)
    for kind, rule in rules.items():
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise ArgumentError("rules", expected="classes of torch.nn.Module", got=repr(kind)[:60])
        _check_rule(f"rules[{kind.__name__}]", rule)
    return dict(rules)


def _check_rule(argument: str, rule: object) -> None:
    """Whether it is a rule whose functions can be asked."""
    check_instance(argument, rule, LayerRule, "a LayerRule")
    for name, asked in _ASKED.items():
        function = getattr(rule, name)
        if function is not None:
            takes = asked.count(",") + 2
            check_function(f"{argument}.{name}", function, f"a function of (module, {asked})", takes=takes)


def answered(module: nn.Module, question: str, value: Any, kinds: type | tuple[type, ...], expected: str) -> Any:
    """What a rule answers, ``value``, if it is of ``kinds``.

    Raises:
        ArgumentError: it is of another kind.

    Examples:
        >>> answered(nn.ReLU(), "fits", True, Finding, "a Finding")
        Traceback (most recent call last):
        ...
        intertwine.errors.ArgumentError: the rule of ReLU, fits: expected a Finding; got a bool.
    """
    if isinstance(value, kinds):
        return value
    raise ArgumentError(
        f"the rule of {type(module).__name__}, {question}",
        expected=expected,
        got=with_article(type(value).__name__),
    )
