"""How a value gets into a model: copied into a stored tensor, through right inverses into a parametrised one."""

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrize import ParametrizationList

from intertwine._numerics import TOLERANCES, accumulation_dtype
from intertwine.binding.entry import Entry
from intertwine.errors import ArgumentError, listing
from intertwine.layers.parametrized import parametrizations, parametrized_names

# What right inverses raise for values that they do not take, or for want of one.
REFUSALS = (NotImplementedError, RuntimeError, ValueError, TypeError, AttributeError)


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
        ArgumentError: it is parametrised, and the parametrisation makes another tensor of ``value``. Nothing has been
            changed then.
    """
    if entry.is_parametrized(model):
        _write_parametrized_(entry.owner(model), entry.attribute, entry.name, value, argument)
    else:
        entry.tensor(model).copy_(value)


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
            _write_parametrized_(part, attribute, f"{attribute} in {name!r}", new, "initialize_")


def _write_parametrized_(owner: nn.Module, attribute: str, name: str, value: torch.Tensor, argument: str) -> None:
    source = _source(owner, attribute)
    before = _state(source)
    try:
        # As torch does on assignment. The right inverse may keep what it is given.
        source.right_inverse(value.clone())
        made = source()
    except REFUSALS as error:
        _restore(source, before)
        raise _refused(name, source, f"{type(error).__name__}: {error}"[:200], argument) from error
    wide = accumulation_dtype(value.dtype)
    distance, norm = (torch.linalg.vector_norm(x.to(wide)) for x in (made - value, value))
    if not bool(distance <= TOLERANCES[value.dtype] * norm):
        _restore(source, before)
        got = f"another one, off by {float(distance):.1e} at a norm of {float(norm):.1e}"
        raise _refused(name, source, got, argument)


def check_invertible(model: nn.Module, entry: Entry, argument: str) -> None:
    """Whether the projection of a parametrised tensor can be written to it; the model ends up as it was.

    Raises:
        ArgumentError: it cannot.
    """
    source = _source(entry.owner(model), entry.attribute)
    before = _state(source)
    with torch.no_grad():
        try:
            write_(model, entry, entry.projector.project(entry.tensor(model)), argument)
        finally:
            _restore(source, before)


def write_parametrized_(
    model: nn.Module, entries: Iterable[Entry], value: Callable[[Entry], torch.Tensor], argument: str
) -> None:
    """Several parametrised tensors become what ``value`` makes of them: all, or none.

    Raises:
        ArgumentError: as ``write_``. Nothing has been changed then.
    """
    done: list[tuple[ParametrizationList, dict[str, torch.Tensor]]] = []
    try:
        for entry in entries:
            source = _source(entry.owner(model), entry.attribute)
            # Looking at a spectral norm in training is enough to change it.
            done.append((source, _state(source)))
            write_(model, entry, value(entry), argument)
    except ArgumentError:
        for source, before in done:
            _restore(source, before)
        raise


def _source(owner: nn.Module, attribute: str) -> ParametrizationList:
    return cast(ParametrizationList, parametrizations(owner)[attribute])


def _state(source: ParametrizationList) -> dict[str, torch.Tensor]:
    """Copies of what the tensor is made from, buffers such as the singular vectors of a spectral norm included."""
    return {name: tensor.detach().clone() for name, tensor in _tensors(source)}


def _restore(source: ParametrizationList, before: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in _tensors(source):
            tensor.copy_(before[name])


def _tensors(source: ParametrizationList) -> Sequence[tuple[str, torch.Tensor]]:
    return [*source.named_parameters(), *source.named_buffers()]


def _refused(name: str, source: ParametrizationList, got: str, argument: str) -> ArgumentError:
    kinds = ", ".join(type(step).__name__.strip("_") for step in source)
    return ArgumentError(
        argument,
        expected=f"{name} to take its projection through the right inverse of its parametrisation ({kinds})",
        got=got,
        advice="Use penalty(), which sees the effective tensor, or parametrize.remove_parametrizations first.",
    )
