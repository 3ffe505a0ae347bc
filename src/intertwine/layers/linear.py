"""Linear maps, embeddings and bags of them."""

from typing import Any

import numpy as np

from intertwine.errors import ArgumentError
from intertwine.layers.channels.checks import check_pointwise
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.rule import Slot, Typing


def linear(module: Any, typing: Typing) -> tuple[Slot, ...]:
    """``y = W x + b``: W is (out, in), b is (out,)."""
    typing.check_options(("over",), module)
    rep_in, rep_out = typing.rep_in, typing.rep_out
    typing.check_width("rep_in", rep_in, module.in_features, "in_features")
    typing.check_width("rep_out", rep_out, module.out_features, "out_features")
    P = typing.projectors.tensor(typing.argument, (rep_out, rep_in.dual()))
    weight = Slot("weight", P, "weight", OutputFields(rep_out))
    return (weight,) if module.bias is None else (weight, typing.vector("bias", rep_out))


def embedding(module: Any, typing: Typing) -> tuple[Slot, ...]:
    """Token t has the features W[t], W (tokens, features): the group permutes the tokens, ``W[g t] = rho_out(g) W[t]``.

    Raises:
        ArgumentError: ``rep_in`` does not permute tokens, or moves the padding token.
    """
    typing.check_options((), module)
    rep_in, rep_out = typing.rep_in, typing.rep_out
    typing.check_width("rep_in", rep_in, module.num_embeddings, "num_embeddings")
    typing.check_width("rep_out", rep_out, module.embedding_dim, "embedding_dim")
    table = rep_in.generator_permutations() if rep_in.is_permutation else None
    if table is None:
        raise ArgumentError(
            typing.argument,
            expected="rep_in to permute the tokens, as they come by number",
            got=str(rep_in),
            advice="Where the group leaves tokens alone it is n * G.trivial().",
        )
    padding = module.padding_idx
    if padding is not None and np.any(table[0][:, padding] != padding):
        raise ArgumentError(
            typing.argument,
            expected=f"the group to leave the padding token {padding} in place, as its features stay zero",
            got=f"{rep_in}, which moves it",
        )
    P = typing.projectors.tensor(typing.argument, (rep_in.dual(), rep_out))
    return (Slot("weight", P, "weight", OutputFields(rep_out, axis=1)),)


def embedding_bag(module: Any, typing: Typing) -> tuple[Slot, ...]:
    """The sum, mean or largest of the features of several tokens.

    Raises:
        ArgumentError: as ``embedding``, or ``mode="max"`` on features that the group does not permute.
    """
    if module.mode == "max":
        ok, reason = check_pointwise(typing.rep_out, odd=False)
        if not ok:
            raise ArgumentError(
                typing.argument,
                expected="rep_out to permute the features, as mode='max' takes the largest of each",
                got=f"{typing.rep_out}: {reason}",
                advice="Use mode='sum' or 'mean'.",
            )
    return embedding(module, typing)
