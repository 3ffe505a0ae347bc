"""Multi-head attention: projections in, packed or apart, and out."""

from typing import Any

from intertwine.errors import ArgumentError, NotOrthogonalError
from intertwine.layers.channels.chunks import whole_field_chunks
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.rule import Slot, Typing
from intertwine.representations import Representation


def attention(module: Any, typing: Typing) -> tuple[Slot, ...]:
    """Queries, keys and values of ``rep_in`` are projected to ``hidden``; what the heads give, to ``rep_out``.

    Each head holds whole fields by orthogonal matrices, so that its dot products are invariant and what it mixes are
    tokens, never channels: attention is equivariant wherever the projections are.

    Raises:
        ArgumentError: a field of ``hidden`` reaches over two heads, or a packed weight would read two representations.
        NotOrthogonalError: dot products of ``hidden`` are not invariant.
    """
    typing.check_options(("hidden", "rep_key", "rep_value"), module)
    rep_in, rep_out, width = typing.rep_in, typing.rep_out, module.embed_dim
    hidden = typing.representation("hidden", rep_in) or rep_in
    key, value = (typing.representation(name, rep_in) or rep_in for name in ("rep_key", "rep_value"))
    for name, rep, expected, source in (
        ("rep_in", rep_in, width, "embed_dim"),
        ("rep_out", rep_out, width, "embed_dim"),
        ("hidden", hidden, width, "embed_dim"),
        ("rep_key", key, module.kdim, "kdim"),
        ("rep_value", value, module.vdim, "vdim"),
    ):
        typing.check_width(name, rep, expected, source)
    _check_heads(typing, hidden, module.num_heads)
    inputs = (
        _packed(typing, rep_in, key, value, hidden)
        if module.in_proj_weight is not None
        else [
            _weight(typing, f"{name}_proj_weight", rep, hidden)
            for name, rep in (("q", rep_in), ("k", key), ("v", value))
        ]
    )
    slots = [*inputs, _weight(typing, "out_proj.weight", hidden, rep_out)]
    if module.in_proj_bias is not None:
        slots += [typing.vector("in_proj_bias", hidden + hidden + hidden), typing.vector("out_proj.bias", rep_out)]
    if module.bias_k is not None:
        slots += [typing.vector(name, hidden, (1, 1, width)) for name in ("bias_k", "bias_v")]
    return tuple(slots)


def _weight(typing: Typing, name: str, rep_in: Representation, rep_out: Representation) -> Slot:
    P = typing.projectors.tensor(typing.argument, (rep_out, rep_in.dual()))
    return Slot(name, P, "weight", OutputFields(rep_out))


def _packed(
    typing: Typing, rep_in: Representation, key: Representation, value: Representation, hidden: Representation
) -> list[Slot]:
    """Queries, keys and values below one another, (3 E, E)."""
    for name, rep in (("rep_key", key), ("rep_value", value)):
        if rep != rep_in:
            raise ArgumentError(
                f"{typing.argument}.{name}",
                expected=f"rep_in, {rep_in}, as the packed in_proj_weight reads queries, keys and values alike",
                got=str(rep),
                advice="Modules with another kdim or vdim hold three weights.",
            )
    return [_weight(typing, "in_proj_weight", rep_in, hidden + hidden + hidden)]


def _check_heads(typing: Typing, hidden: Representation, heads: int) -> None:
    chunks, reason = whole_field_chunks(hidden, heads)
    if chunks is None:
        raise ArgumentError(
            typing.argument,
            expected=f"whole fields of hidden in each of {heads} heads",
            got=reason,
            advice="Order the fields of hidden= by heads, or change num_heads.",
        )
    bad = [segment.field.name for segment in hidden.segments if not segment.field.is_orthogonal]
    if bad:
        raise NotOrthogonalError(
            typing.argument, expected="fields whose dot products the group keeps", got=", ".join(bad)
        )
