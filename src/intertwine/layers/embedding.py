"""Embeddings of tokens, and bags of them."""

from typing import Any

import numpy as np
from torch import nn

from intertwine.errors import ArgumentError
from intertwine.layers.channels.checks import check_pointwise
from intertwine.layers.layer_type import LayerType, Slot
from intertwine.layers.rule import LayerRule


def parameters(module: Any, layer_type: LayerType) -> tuple[Slot, ...]:
    """Token t has the features W[t], W (tokens, features): the group permutes the tokens, ``W[g t] = rho_out(g) W[t]``.

    Raises:
        ArgumentError: ``rep_in`` does not permute tokens, or moves the padding token.
    """
    layer_type.check_options((), module)
    rep_in, rep_out = layer_type.rep_in, layer_type.rep_out
    layer_type.check_width("rep_in", rep_in, module.num_embeddings, "num_embeddings")
    layer_type.check_width("rep_out", rep_out, module.embedding_dim, "embedding_dim")
    table = rep_in.generator_permutations() if rep_in.is_permutation else None
    if table is None:
        raise ArgumentError(
            layer_type.argument,
            expected="rep_in to permute the tokens, as they come by number",
            got=str(rep_in),
            advice="Where the group leaves tokens alone it is n * G.trivial().",
        )
    padding = module.padding_idx
    if padding is not None and np.any(table[0][:, padding] != padding):
        raise ArgumentError(
            layer_type.argument,
            expected=f"the group to leave the padding token {padding} in place, as its features stay zero",
            got=f"{rep_in}, which moves it",
        )
    return (layer_type.matrix("weight", rep_in, rep_out, transposed=True),)


def bag_parameters(module: Any, layer_type: LayerType) -> tuple[Slot, ...]:
    """The sum, mean or largest of the features of several tokens.

    Raises:
        ArgumentError: as ``parameters``, or ``mode="max"`` on features that the group does not permute.
    """
    if module.mode == "max":
        ok, reason = check_pointwise(layer_type.rep_out, odd=False)
        if not ok:
            raise ArgumentError(
                layer_type.argument,
                expected="rep_out to permute the features, as mode='max' takes the largest of each",
                got=f"{layer_type.rep_out}: {reason}",
                advice="Use mode='sum' or 'mean'.",
            )
    return parameters(module, layer_type)


EMBEDDINGS = {nn.Embedding: LayerRule(parameters), nn.EmbeddingBag: LayerRule(bag_parameters)}
