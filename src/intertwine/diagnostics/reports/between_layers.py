"""What norm layers and pointwise functions between typed layers do to the features that really reach them."""

from dataclasses import dataclass
from types import NoneType

import numpy as np
from torch import nn

from intertwine._numerics import INPUT_TOLERANCE
from intertwine.binding import Binding
from intertwine.diagnostics.models.model_layers import kind_name
from intertwine.errors import ArgumentError, GroupMismatchError
from intertwine.layers.grid.finding import Finding, Verdict
from intertwine.layers.registry import computed_rule_of, own_ends, rule_of
from intertwine.layers.rule import Rules, answered
from intertwine.layers.typed import Ends
from intertwine.representations import Representation
from intertwine.representations.embedding import PLANES

# Above this dimension two representations are not compared matrix by matrix.
_COMPARED = 512
_ONE_TYPE = "Give both layers one type for these features."


@dataclass(frozen=True)
class Carried:
    """The type of features: how the group acts on their channels, and, on another axis, as ``over``.

    Attributes:
        rep: how it acts on the channels.
        over: how it acts on another axis, as in ``Typed``; None: on none.
        behind: name of the typed module that they come from.
    """

    rep: Representation
    over: Representation | None
    behind: str

    def __str__(self) -> str:
        return str(self.rep) if self.over is None else f"{self.rep} over {self.over}"


@dataclass(frozen=True)
class LayerVerdict:
    """What a layer, or a function called in one, does to features of a known type.

    Attributes:
        name: of the module in the model, where the function is called.
        kind: its class, or the function's name with ``()``.
        behind: name of the typed module from which the features come.
        acts_on: their type.
        verdict: ``"keeps"``, ``"breaks"``, ``"depends"``: on weights or statistics of its own, or ``"unknown"``: a
            function without a rule stands between two typed layers.
        reason: why; empty where it keeps.
        advice: what to do; empty where nothing is to be done.

    Examples:
        >>> import intertwine as iw, torch
        >>> V = iw.Cyclic(4).regular()
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
        >>> binding = iw.bind(net, {"0": (V, 2 * V), "2": (2 * V, V)})
        >>> verdict = iw.report(binding).between[0]
        >>> verdict.name, verdict.kind, verdict.behind, verdict.acts_on, verdict.verdict
        ('1', 'ReLU', '0', '2xregular', 'keeps')
    """

    name: str
    kind: str
    behind: str
    acts_on: str
    verdict: Verdict
    reason: str
    advice: str

    def __str__(self) -> str:
        said = "".join(f" {text}" for text in (self.reason and f"{self.reason}.", self.advice) if text)
        source = f" behind {self.behind!r}" if self.behind else ""
        return f"{self.name}: {self.kind}{source} acts on {self.acts_on}: {self.verdict}.{said}"


def module_finding(module: nn.Module, carried: Carried, *, typed: bool, rules: Rules) -> Finding | None:
    """What a layer does to features of a known type, as its rule says; ``typed``: its own weights are.

    None where it acts on another number of features.
    """
    rule = computed_rule_of(module, rules)
    found = None if rule.fits is None else rule.fits(module, carried.rep, carried.over)
    found = answered(module, "fits", found, (Finding, NoneType), "a Finding, or None")
    tensors = (*module.named_parameters(), *module.named_buffers())
    own = [name for name, tensor in tensors if tensor.is_floating_point() and tensor.numel() > 1]
    if found is None or found.verdict != "keeps" or typed or not own:
        return found
    by_name = "Type its weight by name, with iw.diagonal_projector(rep)."
    advice = by_name if rule.parameters is None else "Type it too."
    return Finding("depends", f"its {', '.join(own)} must be equivariant as well", advice)


class Verdicts:
    """Verdicts on a model's layers as types reach them, each once.

    Attributes:
        found: the verdicts, in the order in which they came.
        ends: types of modules by name, those of linear layers whose weight is typed by its name among them.
        rules: the user's rules, as the binding has them.
    """

    def __init__(self, binding: Binding) -> None:
        self.found: dict[LayerVerdict, None] = {}
        self.ends, self.rules = dict(binding.ends), binding.rules
        self._typed = {entry.module for entry in binding.entries}
        self._group = binding.group if binding.entries else None
        for entry in binding.entries:
            axes = entry.projector.axes
            linear = entry.attribute == "weight" and type(entry.owner(binding.model)) is nn.Linear
            if linear and entry.module not in self.ends and len(axes) == 2 and axes[0] and axes[1]:
                self.ends[entry.module] = Ends(axes[1].dual(), axes[0])

    def note(self, name: str, kind: str, carried: Carried, finding: Finding) -> None:
        """One more verdict."""
        where = name or "(the model)"
        said = (finding.verdict, finding.reason, finding.advice)
        self.found[LayerVerdict(where, kind, carried.behind, str(carried), *said)] = None

    def is_whole(self, name: str, module: nn.Module) -> bool:
        """Whether a module is judged from outside: a typed one, one that types itself, one of which a rule speaks."""
        rule = computed_rule_of(module, self.rules)
        said = rule.fits or rule.parameters or rule.propagate or rule.alike or rule.equivariant
        return bool(said) or name in self.ends or self._own_ends(module) is not None

    def through(self, name: str, module: nn.Module, carried: Carried | None) -> Carried | None:
        """The type behind a module that is judged as a whole; None if it is not known."""
        rule, own = computed_rule_of(module, self.rules), self._own_ends(module)
        if name in self.ends:
            return self._through_typed(name, module, self.ends[name], carried)
        if own is not None:
            return self._through_own(name, module, own, carried)
        if carried is None or rule.alike:
            return carried
        if rule.fits is not None and not self._judge(name, module, carried, typed=name in self._typed):
            return None
        if rule.propagate is None:
            return carried if rule.fits is not None else None
        expected = f"a representation of {carried.rep.group}, or None"
        rep = answered(module, "propagate", rule.propagate(module, carried.rep), (Representation, NoneType), expected)
        if rep is not None and rep.group != carried.rep.group:
            raise GroupMismatchError(
                f"the rule of {type(module).__name__}, propagate", expected=expected, got=f"one of {rep.group}"
            )
        return None if rep is None else Carried(rep, carried.over, carried.behind)

    def _own_ends(self, module: nn.Module) -> Ends | None:
        """The types that a module carries itself, if it has no parts, or a rule says that it keeps them."""
        if next(module.children(), None) is None or computed_rule_of(module, self.rules).equivariant:
            return own_ends(module)
        return None

    def _through_typed(self, name: str, module: nn.Module, ends: Ends, carried: Carried | None) -> Carried:
        """The type behind a module that has one in the binding."""
        own = Carried(ends.rep_in, ends.over, "" if carried is None else carried.behind)
        self._compare(name, module, carried, own)
        if not rule_of(module, self.rules).same:
            return Carried(ends.rep_out, ends.over, name)
        self._judge(name, module, own, typed=True)
        return own

    def _through_own(self, name: str, module: nn.Module, own: Ends, carried: Carried | None) -> Carried | None:
        """The type behind a module that carries its own, restricted to the group of the binding where it is another."""
        group, found = self._group, []
        if group in (None, own.rep_in.group):
            self._compare(name, module, carried, Carried(own.rep_in, own.over, ""))
            return Carried(own.rep_out, own.over, name)
        if carried is None:
            return None
        for axis in (None, *PLANES):
            try:
                seen = Ends(own.rep_in.restrict(group, axis=axis), own.rep_out.restrict(group, axis=axis))
            except (ArgumentError, GroupMismatchError):
                continue
            if seen.rep_in.dim == carried.rep.dim and _same_action(seen.rep_in, carried.rep):
                return Carried(seen.rep_out, None, name)
            found.append(seen)
        reason = f"its own type takes {own.rep_in}, of {own.rep_in.group}, " + (
            f"whose restriction to {group} is another" if found else f"of which {group} is no subgroup"
        )
        self.note(name, kind_name(module), carried, Finding("unknown", reason, _ONE_TYPE))
        return None

    def _judge(self, name: str, module: nn.Module, carried: Carried, *, typed: bool) -> bool:
        found = module_finding(module, carried, typed=typed, rules=self.rules)
        if found is not None:
            self.note(name, kind_name(module), carried, found)
        return found is not None

    def _compare(self, name: str, module: nn.Module, carried: Carried | None, own: Carried) -> None:
        """Whether a module gets what its type says; nothing is known of another width or axis."""
        if carried is None or carried.over != own.over or carried.rep.dim != own.rep.dim:
            return
        if carried.rep == own.rep or _same_action(carried.rep, own.rep):
            return
        finding = Finding("breaks", f"its own type takes {own}", _ONE_TYPE)
        self.note(name, kind_name(module), carried, finding)


def sequential_verdicts(binding: Binding) -> tuple[LayerVerdict, ...]:
    """The verdicts that the order of layers in each ``nn.Sequential`` tells, without a run."""
    verdicts = Verdicts(binding)
    visited: set[str] = set()

    def walk(name: str, module: nn.Sequential, carried: Carried | None) -> Carried | None:
        visited.add(name)
        for key, child in module.named_children():
            full = f"{name}.{key}" if name else key
            if isinstance(child, nn.Sequential) and full not in verdicts.ends:
                carried = walk(full, child, carried)
            else:
                carried = verdicts.through(full, child, carried)
        return carried

    for name, module in binding.model.named_modules():
        if isinstance(module, nn.Sequential) and name not in visited:
            walk(name, module, None)
    return tuple(verdicts.found)


def _same_action(one: Representation, other: Representation) -> bool:
    """Whether two representations of one dimension are the same matrices; of large ones that is not known."""
    if one.group != other.group:
        return False
    if one.dim > _COMPARED:
        return True
    first, second = one.as_field(), other.as_field()
    pairs = ((first.generator_images(), second.generator_images()), (first.algebra(), second.algebra()))
    return all(np.allclose(a, b, atol=INPUT_TOLERANCE) for a, b in pairs)
