"""Low-rank factors of adapted layers (peft's) that start equivariant and stay so."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from intertwine._arguments import check_function, check_instance
from intertwine.binding.bind import bind
from intertwine.binding.binding import Binding
from intertwine.binding.effective_weights import adapted_layers, no_adapters
from intertwine.binding.seeded import seeded
from intertwine.errors import ArgumentError, IntertwineError, NotOrthogonalError, ShapeError, listing
from intertwine.groups.adapters.notation import as_representation
from intertwine.layers.effective.adapted import active
from intertwine.layers.effective.low_rank import delta, factors, is_low_rank, magnitude_vector, norms
from intertwine.layers.typed import Ends, Typed
from intertwine.projectors.diagonal import diagonal_projector
from intertwine.representations import Representation
from intertwine.tracing.policy import default_policy

Rank = Representation | Callable[[int], object] | None


@torch.no_grad()
def start_adapters_(binding: Binding, rank: Rank = None, *, generator: torch.Generator | None = None) -> Binding:
    """Starts LoRA's factors so that ``B A`` is equivariant, and stays so under gradient descent.

    The r features between the factors get an orthogonal representation; A is drawn as peft draws it and projected
    (each field at its former norm), B is 0 (an embedding's factors the other way round). DoRA's magnitude becomes the
    norms of the base's weight, projected. With the usual start ``B A = 0`` is equivariant too, but not after one step:
    ``B = -lr G A^T``, so that ``A^T A`` must commute with the group, which it does iff A is equivariant under an
    orthogonal representation of its rows.

    The binding that comes back types the factors: ``SplitAdamW`` and ``EquivarianceDecay`` at ``strength=inf`` under it
    keep ``B A`` equivariant to rounding whatever the optimiser, and its penalty draws both factors. A base that is not
    equivariant stays what it is: project it first, or penalise the effective weight (``effective_weights``).

    Args:
        binding: of a model whose adapted layers are typed, each as a whole (by hand) or its parts (inferred).
        rank: what the features between the factors carry, a representation of dimension r or a function of r; as
            ``bind`` chooses hidden features by default. Inferred bindings have typed them already.
        generator: seeds the draws; torch's default one if None. The global generators end up as they were.

    Returns:
        A binding of the factors that are active, in the same model.

    Raises:
        ArgumentError: no typed layer with LoRA's factors, or one whose adapter is of another kind; an adapter that
            changes the weight already (trained, or started from a part of it as PiSSA is).
        ShapeError: ``rank`` is of another dimension than r.
        NotOrthogonalError: it is not orthogonal.

    Source:
        Own; the factors are those of Hu et al. 2022, "LoRA" (arXiv 2106.09685).

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> try:
        ...     iw.start_adapters_(iw.bind(layer, {"": (V, V)}))
        ... except iw.errors.ArgumentError as error:
        ...     print(str(error)[:58])
        binding: expected layers with an adapter, of low rank (LoR
    """
    check_instance("binding", binding, Binding, "a Binding")
    layers = list(_typed_layers(binding))
    if not layers:
        raise no_adapters("of low rank (LoRA), that are typed")
    _check_untrained(layers)
    names = {entry.name for entry in binding.entries}
    types: dict[str, object] = {}
    inferred: list[str] = []
    for name, module in layers:
        if any(known.startswith(f"{name}lora_") for known in names):
            inferred.append(f"{name}lora_")
        else:
            types |= _factor_types(binding, name, module, rank)
    if inferred and (types or rank is not None):
        raise ArgumentError(
            "rank" if not types else "binding",
            expected="None, as the factors are typed" if not types else "all adapted layers typed alike",
            got="a representation" if not types else f"factors of some ({listing(inferred)}) and others as a whole",
            advice="Say what they carry by hidden= of bind.",
        )
    if types:
        found = bind(binding.model, types, rules=binding.rules)
    else:
        kept = tuple(entry for entry in binding.entries if entry.name.startswith(tuple(inferred)))
        found = replace(binding, entries=kept)
    with seeded(generator, [tensor.device for _, tensor in found.tensors()]):
        for _, module in layers:
            for adapter in active(module):
                module.reset_lora_parameters(adapter, True)
                m = magnitude_vector(module, adapter)
                if m is not None:
                    m.copy_(norms(module.base_layer.weight, module).reshape(m.shape))
    return found.project_(preserve_norm=True)


def _factor_types(binding: Binding, name: str, module: Any, rank: Rank) -> dict[str, object]:
    """What the factors of one layer carry, by their names."""
    ends = binding.ends.get(name[:-1])
    if ends is None:
        raise ArgumentError(
            "binding",
            expected=f"{name[:-1]} typed as a whole, by (rep_in, rep_out)",
            got="its weight alone, by its name",
        )
    space = next((e.space for e in binding.entries if e.name == f"{name}weight"), None)
    types: dict[str, object] = {}
    for adapter in active(module):
        between = _rank(rank, len(factors(module, adapter)[0]), ends, name)
        if isinstance(module.base_layer, nn.Embedding):
            types[f"{name}lora_embedding_A.{adapter}"] = (between, ends.rep_in.dual())
            types[f"{name}lora_embedding_B.{adapter}"] = (ends.rep_out, between.dual())
        else:
            types[f"{name}lora_A.{adapter}"] = Typed(ends.rep_in, between, space=space, over=ends.over)
            types[f"{name}lora_B.{adapter}"] = Typed(between, ends.rep_out, over=ends.over)
        m = magnitude_vector(module, adapter)
        if m is not None:
            where = f"{name}lora_magnitude_vector.{adapter}.weight"
            types[where] = diagonal_projector(ends.rep_out, shape=tuple(m.shape))
    return types


def _rank(rank: Rank, width: int, ends: Ends, name: str) -> Representation:
    """What the features between the factors carry."""
    group = ends.rep_in.group
    found = as_representation(default_policy(group)(width) if rank is None else _asked(rank, width), "rank")
    if found.dim != width or found.group != group:
        raise ShapeError(
            "rank",
            expected=f"a representation of {group} of dimension {width}, as {name[:-1]} has r={width}",
            got=f"{found} of {found.group}, dimension {found.dim}",
            advice="A function of r gives each layer its own.",
        )
    if not all(segment.field.is_orthogonal for segment in found.segments):
        raise NotOrthogonalError(
            "rank",
            expected="an orthogonal representation, as gradients move B by multiples of A^T",
            got=str(found),
        )
    return found


def _asked(rank: Rank, width: int) -> object:
    """What a function of r gives, or the representation itself."""
    if not callable(rank):
        return rank
    check_function("rank", rank, "a representation, or a function of r", takes=1)
    try:
        return rank(width)
    except IntertwineError:
        raise
    except Exception as error:
        raise ArgumentError(
            "rank",
            expected=f"a function of r that gives a representation, here of dimension {width}",
            got=f"one that raises {type(error).__name__}: {error}"[:200],
        ) from error


def _typed_layers(binding: Binding) -> Iterator[tuple[str, Any]]:
    """Those with an entry, all of low rank.

    Raises:
        ArgumentError: one is not.
    """
    names = tuple(entry.name for entry in binding.entries)
    for name, module in adapted_layers(binding.model):
        if any(known.startswith(name) for known in names) and active(module):
            if not is_low_rank(module):
                raise ArgumentError(
                    "binding",
                    expected="adapters that are a product of two factors (LoRA, DoRA)",
                    got=f"{type(module).__module__}.{type(module).__name__} at {name[:-1]}",
                    advice="Penalise the effective weight instead.",
                )
            yield name, module


def _check_untrained(layers: list[tuple[str, Any]]) -> None:
    """Whether all products are 0, so that nothing is lost."""
    changed = [
        f"{name}{adapter}"
        for name, module in layers
        for adapter in active(module)
        if bool(delta(module, adapter).any())
    ]
    if changed:
        raise ArgumentError(
            "binding",
            expected="adapters that change nothing yet, B A = 0",
            got=f"others: {listing(changed)}",
            advice="Start them before training, and with init_lora_weights=True: PiSSA, OLoRA and their like move a "
            "part of the weight into the factors.",
        )
