"""What adapted layers (peft's) compute with, typed as a whole."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import nn

from intertwine._arguments import check_instance
from intertwine.binding.binding import Binding
from intertwine.binding.entry import Entry
from intertwine.errors import ArgumentError
from intertwine.layers.adapters import chosen
from intertwine.layers.effective.adapted import is_adapted
from intertwine.layers.registry import effective_of


def effective_weights(binding: Binding) -> Binding:
    """The binding of what adapted layers compute with, ``W + s B A``, in place of W and of the factors.

    A binding that was inferred from a run types base layer and factors one by one, as they are called, and none of them
    says how far the layer is from equivariant. Here each adapted layer of peft whose base is typed is one entry with
    the projector of its base, as ``bind`` makes by hand for the name of the layer. It is measured and penalised like
    any other, and stays right when the adapter is merged or unloaded.

    Args:
        binding: of a model with adapted layers.

    Returns:
        A binding of the same model.

    Raises:
        ArgumentError: no adapted layer with a typed base; an adapter that makes no weight, or one of another shape than
            its base has (LoRA on a grouped convolution: type it by hand).

    Source:
        Hu et al. 2022, "LoRA" (arXiv 2106.09685); Liu et al. 2024, "DoRA" (arXiv 2402.09353).

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> try:
        ...     iw.effective_weights(iw.bind(layer, {"": (V, V)}))
        ... except iw.errors.ArgumentError as error:
        ...     print(str(error)[:58])
        binding: expected layers with an adapter, whose base is ty
    """
    check_instance("binding", binding, Binding, "a Binding")
    by_name = {entry.name: entry for entry in binding.entries}
    made: dict[str, Entry] = {}
    whole: list[str] = []
    for name, module in adapted_layers(binding.model):
        for attribute, ways in effective_of(module, binding.rules).items():
            entry = by_name.get(f"{name}base_layer.{attribute}")
            if entry is not None:
                full = f"{name}{attribute}"
                way = chosen(module, full, ways, f"the type of {full}")
                shape = tuple(way.value(module).shape)
                if shape != tuple(entry.tensor(binding.model).shape):
                    raise ArgumentError(
                        "binding",
                        expected=f"an effective weight of the shape that {entry.name} has",
                        got=f"{shape}, as LoRA on a grouped convolution mixes all channels",
                        advice=f"Type the layer by hand: iw.bind(model, {{{name[:-1]!r}: (rep_in, rep_out)}}).",
                    )
                made[entry.name] = replace(entry, name=full, module=name[:-1], attribute=attribute, effective=way)
                whole.append(name)
    if not made:
        raise no_adapters("whose base is typed")
    entries = tuple(
        made.get(entry.name, entry)
        for entry in binding.entries
        if entry.name in made or not entry.name.startswith(tuple(whole))
    )
    return replace(binding, entries=entries)


def adapted_layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Adapted layers with the prefix of their tensors' names."""
    for name, module in model.named_modules():
        if is_adapted(module):
            yield f"{name}." if name else "", module


def no_adapters(what: str) -> ArgumentError:
    """The error for a binding without them."""
    return ArgumentError(
        "binding",
        expected=f"layers with an adapter, {what}",
        got="none",
        advice="peft.get_peft_model(model, config) puts them in; bind the model after it.",
    )
