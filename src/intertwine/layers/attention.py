"""Multi-head attention: projections in, packed or apart, and out."""

from typing import Any

from torch import nn

from intertwine.errors import ArgumentError, NotOrthogonalError
from intertwine.layers.channels.chunks import whole_field_chunks
from intertwine.layers.layer_type import LayerType, Slot
from intertwine.layers.rule import LayerRule
from intertwine.representations import Representation


def parameters(module: Any, layer_type: LayerType) -> tuple[Slot, ...]:
    """Queries, keys and values of ``rep_in`` are projected to ``hidden``; what the heads give, to ``rep_out``.

    Each head holds whole fields by orthogonal matrices, so that its dot products are invariant and what it mixes are
    tokens, never channels: attention is equivariant wherever the projections are.

    Raises:
        ArgumentError: a field of ``hidden`` reaches over two heads, or a packed weight would read two representations.
        NotOrthogonalError: dot products of ``hidden`` are not invariant.
    """
    layer_type.check_options(("hidden", "rep_key", "rep_value"), module)
    rep_in, rep_out, width = layer_type.rep_in, layer_type.rep_out, module.embed_dim
    hidden = layer_type.representation("hidden", rep_in) or rep_in
    key, value = (layer_type.representation(name, rep_in) or rep_in for name in ("rep_key", "rep_value"))
    for name, rep, expected, source in (
        ("rep_in", rep_in, width, "embed_dim"),
        ("rep_out", rep_out, width, "embed_dim"),
        ("hidden", hidden, width, "embed_dim"),
        ("rep_key", key, module.kdim, "kdim"),
        ("rep_value", value, module.vdim, "vdim"),
    ):
        layer_type.check_width(name, rep, expected, source)
    _check_heads(layer_type, hidden, module.num_heads)
    inputs = (
        _packed(layer_type, rep_in, key, value, hidden)
        if module.in_proj_weight is not None
        else [
            layer_type.matrix(f"{name}_proj_weight", rep, hidden)
            for name, rep in (("q", rep_in), ("k", key), ("v", value))
        ]
    )
    slots = [*inputs, layer_type.matrix("out_proj.weight", hidden, rep_out)]
    if module.in_proj_bias is not None:
        slots += [
            layer_type.vector("in_proj_bias", hidden + hidden + hidden),
            layer_type.vector("out_proj.bias", rep_out),
        ]
    if module.bias_k is not None:
        slots += [layer_type.vector(name, hidden, (1, 1, width)) for name in ("bias_k", "bias_v")]
    return tuple(slots)


def _packed(
    layer_type: LayerType, rep_in: Representation, key: Representation, value: Representation, hidden: Representation
) -> list[Slot]:
    """Queries, keys and values below one another, (3 E, E)."""
    for name, rep in (("rep_key", key), ("rep_value", value)):
        if rep != rep_in:
            raise ArgumentError(
                f"{layer_type.argument}.{name}",
                expected=f"rep_in, {rep_in}, as the packed in_proj_weight reads queries, keys and values alike",
                got=str(rep),
                advice="Modules with another kdim or vdim hold three weights.",
            )
    return [layer_type.matrix("in_proj_weight", rep_in, hidden + hidden + hidden)]


def _check_heads(layer_type: LayerType, hidden: Representation, heads: int) -> None:
    chunks, reason = whole_field_chunks(hidden, heads)
    if chunks is None:
        raise ArgumentError(
            layer_type.argument,
            expected=f"whole fields of hidden in each of {heads} heads",
            got=reason,
            advice="Order the fields of hidden= by heads, or change num_heads.",
        )
    bad = [segment.field.name for segment in hidden.segments if not segment.field.is_orthogonal]
    if bad:
        raise NotOrthogonalError(
            layer_type.argument, expected="fields whose dot products the group keeps", got=", ".join(bad)
        )


ATTENTION: dict[type[nn.Module], LayerRule] = {
    nn.MultiheadAttention: LayerRule(parameters, note="its heads must hold whole fields")
}
