"""Types by hand, read: a slot for each tensor that they name, and entries made of the slots."""

import warnings
from collections.abc import Mapping

from torch import nn

from intertwine.binding.entry import Entry
from intertwine.binding.model_tensors import model_tensors
from intertwine.binding.names import nearest
from intertwine.binding.type_reader import TypeReader, check_tensor
from intertwine.errors import ArgumentError, GroupMismatchError, RankZeroWarning, UnknownNameError
from intertwine.layers.layer_type import Slot
from intertwine.layers.registry import own_ends, parameters_of, rule_of
from intertwine.layers.rule import Rules
from intertwine.layers.typed import Ends


class ReadTypes:
    """What was said of a model's tensors: slots, the arguments that said so, and ends of modules, by name.

    Args:
        model: the model.
        types: names of modules, parameters and buffers to types.
        rules: what layers of the user's own mean.
        what: what errors call ``types``.

    Raises:
        UnknownNameError, ArgumentError, ShapeError, DtypeError, GroupMismatchError: as ``bind``.
    """

    def __init__(self, model: nn.Module, types: Mapping[str, object], rules: Rules, what: str) -> None:
        self.model = model
        self.modules = dict(model.named_modules(remove_duplicate=False))
        self.tensors = model_tensors(self.modules, rules)
        self.slots: dict[str, Slot] = {}
        self.arguments: dict[str, str] = {}
        self.ends: dict[str, Ends] = {}
        self._rules = rules
        self._named = set(types)
        self._reader = TypeReader(self.tensors, rules)
        for name, value in types.items():
            argument = f"{what}[{name!r}]"
            if name in self.modules:
                found, self.ends[name] = self._reader.module(self.modules[name], name, value, argument)
            elif name in self.tensors:
                found = {name: self._reader.tensor(name, value, argument)}
            else:
                raise UnknownNameError(
                    what,
                    expected=f"names of modules, parameters and buffers: {self.names(str(name))}",
                    got=repr(name),
                )
            self.add(found, argument)
        self.check_group()

    def names(self, near: str = "") -> str:
        """Names that a type may have, for an error."""
        return nearest(near, [*self.modules, *self.tensors])

    def add_own(self) -> None:
        """Layers that carry their types type themselves, where their group is that of the others."""
        typed = {self.tensors[full].identity for full in self.slots}
        for name, module in self.modules.items():
            own = None if name in self._named else own_ends(module)
            value = None if own is None else _own_type(module, own, self.slots, self._rules)
            if value is not None:
                argument = f"the type that {name or 'the model'!r} carries"
                found, self.ends[name] = self._reader.module(module, name, value, argument)
                free = {full: slot for full, slot in found.items() if self.tensors[full].identity not in typed}
                self.add(free, argument)

    def add(self, found: Mapping[str, Slot], argument: str) -> None:
        """More slots, each of a tensor that has none."""
        for full, slot in found.items():
            if full in self.slots:
                raise ArgumentError(
                    argument,
                    expected="each tensor typed once",
                    got=f"{full!r} once more, after {self.arguments[full]}",
                    advice="Name the module or its parameters, not both.",
                )
            self.slots[full], self.arguments[full] = slot, argument

    def check_group(self) -> None:
        """Whether all projectors are of one group."""
        slots, arguments = self.slots, self.arguments
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

    def entries(self, *, warn: bool = True) -> tuple[Entry, ...]:
        """Entries in the order of ``types``; tensors tied under several names once.

        Args:
            warn: whether to warn of a tensor that has no equivariant value but zero.
        """
        slots, tensors, arguments = self.slots, self.tensors, self.arguments
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
                        got=f"{', '.join(map(str, P.axes))} against {', '.join(map(str, slots[other].projector.axes))}",
                        advice="They are one tensor: type it once.",
                    )
                continue
            if warn and P.rank == 0 and value.numel():
                warnings.warn(
                    f"{name}: {P.group} leaves no value of it fixed but zero "
                    f"({P.reason or ', '.join(map(str, P.axes))}), so that its projection is zero.",
                    RankZeroWarning,
                    stacklevel=3,
                )
            where = (name, tensor.module, tensor.attribute)
            entries.append(Entry(*where, P, slot.kind, slot.output, slot.space, tensor.effective))
        return tuple(entries)


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
