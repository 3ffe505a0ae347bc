"""How a value gets into a model: copied into a stored tensor, through right inverses into a computed one."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import nn
from torch.nn.utils import parametrize

from intertwine._arguments import check_dense
from intertwine._numerics import TOLERANCES, accumulation_dtype
from intertwine.binding.entry import Entry
from intertwine.errors import ArgumentError, listing
from intertwine.layers.effective.computed import Computed
from intertwine.layers.effective.parametrized import Parametrized, parametrized_names

# What right inverses raise for values that they do not take, or for want of one.
REFUSALS = (NotImplementedError, RuntimeError, ValueError, TypeError, AttributeError)

# The name of a module, the module, and its own initialisation.
Draw = tuple[str, nn.Module, Callable[[], object]]


def check_stored(model: nn.Module, entries: Iterable[Entry], argument: str) -> None:
    """Whether the model still stores the typed tensors.

    Raises:
        ArgumentError: hooks compute one anew in every forward pass, which would undo what is written to it.
    """
    computed = [entry.name for entry in entries if entry.is_hooked(model)]
    if computed:
        raise ArgumentError(
            argument,
            expected="typed tensors that the model stores",
            got=f"{listing(computed)}, which a hook computes anew in every forward pass",
            advice="Make pruning permanent with prune.remove, and use torch.nn.utils.parametrizations instead of the "
            "older weight_norm and spectral_norm; then bind anew.",
        )


def write_(model: nn.Module, entry: Entry, value: torch.Tensor, argument: str) -> None:
    """The typed tensor becomes ``value``; call it without gradients.

    Raises:
        ArgumentError: it is computed, and nothing that its module could compute it from makes it ``value``. Nothing has
            been changed then.
    """
    computed = entry.computed(model)
    if computed is None:
        entry.tensor(model).copy_(value)
    else:
        _write_computed_(entry.owner(model), computed, entry.name, value, argument)


def draw_(module: nn.Module, name: str, draw: Callable[[], object]) -> None:
    """``draw`` initialises ``module`` in place, which a parametrised tensor does not notice: it is written to after it.

    Raises:
        ArgumentError: a parametrisation cannot make what has been drawn.
    """
    computed = [(part, attribute) for part in module.modules() for attribute in parametrized_names(part)]
    with parametrize.cached():  # so that what is drawn in place can be read again
        before = [getattr(*where).clone() for where in computed]
        draw()
        drawn = [getattr(*where).clone() for where in computed]
    for (part, attribute), old, new in zip(computed, before, drawn, strict=True):
        if not torch.equal(old, new):
            _write_computed_(part, Parametrized(attribute), f"{attribute} in {name!r}", new, "initialize_")


def _write_computed_(owner: nn.Module, computed: Computed, name: str, value: torch.Tensor, argument: str) -> None:
    before = Stored(partial(computed.stored, owner))
    try:
        computed.write_(owner, value)
        made = computed.value(owner)
    except REFUSALS as error:
        before.put_back()
        raise _refused(name, computed, owner, f"{type(error).__name__}: {error}"[:200], argument) from error
    off = _off(made, value)
    if off:
        before.put_back()
        raise _refused(name, computed, owner, f"another one, {off}", argument)


def _off(made: torch.Tensor, value: torch.Tensor) -> str:
    """How far what was made is from what was asked for; empty if it is the same to rounding."""
    wide = accumulation_dtype(value.dtype)
    distance, norm = (torch.linalg.vector_norm(x.to(wide)) for x in (made - value, value))
    if bool(distance <= TOLERANCES[value.dtype] * norm):
        return ""
    return f"off by {float(distance):.1e} at a norm of {float(norm):.1e}"


def check_invertible(model: nn.Module, entry: Entry, argument: str) -> None:
    """Whether the projection of a computed tensor can be written to it; the model ends up as it was.

    Raises:
        ArgumentError: it cannot.
    """
    before = Stored(partial(entry.underlying, model))
    with torch.no_grad():
        try:
            write_(model, entry, entry.projector.project(entry.tensor(model)), argument)
        finally:
            before.put_back()


def write_computed_(
    model: nn.Module, entries: Iterable[Entry], value: Callable[[Entry], torch.Tensor], argument: str
) -> None:
    """Several computed tensors become what ``value`` makes of them: all, or none.

    Raises:
        ArgumentError: as ``write_``. Nothing has been changed then.
    """
    done: list[Stored] = []
    asked: list[tuple[nn.Module, Entry, torch.Tensor]] = []
    try:
        for entry in entries:
            # Looking at a spectral norm in training is enough to change it.
            done.append(Stored(partial(entry.underlying, model)))
            asked.append((model, entry, value(entry)))
            write_(*asked[-1], argument)
        check_shared(asked, argument)
    except ArgumentError:
        for before in reversed(done):
            before.put_back()
        raise


def check_shared(asked: Sequence[tuple[nn.Module, Entry, torch.Tensor]], argument: str) -> None:
    """Whether tensors that are computed of the same parameters are all what was asked for, when all are written.

    Raises:
        ArgumentError: what was written to one has changed another.
    """
    used = [id(tensor) for model, entry, _ in asked for tensor in entry.underlying(model)]
    for model, entry, value in asked if len(set(used)) < len(used) else ():
        computed, owner = entry.computed(model), entry.owner(model)
        off = _off(entry.tensor(model), value)
        if computed is not None and off:
            raise _refused(entry.name, computed, owner, f"{off}, as another tensor shares its parameters", argument)


class Stored:
    """Copies of what a tensor is made from, buffers such as the singular vectors of a spectral norm included.

    Args:
        read: gives the tensors; a right inverse may put others in their places.
    """

    def __init__(self, read: Callable[[], Iterable[torch.Tensor]]) -> None:
        self._read = read
        self._before = [tensor.detach().clone() for tensor in read()]

    @torch.no_grad()
    def put_back(self) -> None:
        """The values that they had."""
        for tensor, value in zip(self._read(), self._before, strict=True):
            tensor.copy_(value)


def _refused(name: str, computed: Computed, owner: nn.Module, got: str, argument: str) -> ArgumentError:
    return ArgumentError(
        argument,
        expected=f"{name} to take its projection through {computed.way_in(owner)}",
        got=got,
        advice=f"Use penalty(), which sees the effective tensor, or {computed.remedy} first.",
    )


def change_(model: nn.Module, entries: Sequence[Entry], value: Callable[[Entry], torch.Tensor], argument: str) -> None:
    """Every typed tensor becomes what ``value`` makes of its entry: all, or none; call it without gradients.

    Raises:
        ArgumentError: a tensor holds no values, a hook computes it, or its parametrisation cannot make the value.
            Nothing has been changed then.
    """
    check_values(model, entries)
    check_stored(model, entries, argument)
    computed = [entry for entry in entries if entry.is_computed(model)]
    # First those that may be refused.
    write_computed_(model, computed, value, argument)
    for entry in entries:
        if entry not in computed:
            entry.tensor(model).copy_(value(entry))


def check_values(model: nn.Module, entries: Sequence[Entry]) -> None:
    """Whether what is stored has values: looking at a spectral norm in training is enough to change it.

    Raises:
        ArgumentError: a tensor on the meta device, or one that is sharded.
    """
    for entry in entries:
        for tensor in entry.sources(model):
            check_dense(entry.name, tensor, values=True)


def draws_of(model: nn.Module, entries: Sequence[Entry]) -> list[Draw]:
    """The typed modules' own initialisations; modules inside a typed one first, as it has the last word.

    Raises:
        ArgumentError: a module has none.
    """
    typed = [entry for entry in entries if entry.kind in ("weight", "bias")]
    modules = {id(module): (entry.module, module) for entry in typed for module in [entry.owner(model)]}
    draws = []
    for name, module in sorted(modules.values(), key=lambda item: -len(item[0].split(".")) if item[0] else 0):
        # nn.MultiheadAttention has it under a private name.
        draw = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
        if not callable(draw):
            raise ArgumentError(
                "model",
                expected=f"{name!r} to have reset_parameters()",
                got=type(module).__name__,
                advice="Initialise it, then project_(preserve_norm=True).",
            )
        draws.append((name, module, draw))
    return draws
