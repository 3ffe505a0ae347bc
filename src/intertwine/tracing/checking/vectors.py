"""Why calls on vectors break the symmetry: components used one by one, norms along another axis, a fixed direction."""

from intertwine.errors import listing
from intertwine.representations import Representation
from intertwine.tracing.axes import Axis, Carried, Nested, Squared
from intertwine.tracing.calls import TypedCall
from intertwine.tracing.context import TensorType
from intertwine.tracing.functions import combine, pointwise, reduction
from intertwine.tracing.normal_form import resolved

READS = (
    "reads single components of {}. Use norms, scalar products or spherical harmonics of whole vectors, or give the "
    "whole function a rule (rules=)"
)
SUMS = "adds up the components of {}, of which only a norm or a scalar product is invariant"
ALONG = (
    "goes along another axis than that of {}, whose components it takes one by one. Give it the axis of the vectors: "
    "norms of these are invariant"
)
ENTRIES = (
    "a function of each entry by itself, on {}, which the group does not permute. Gate these features by invariants "
    "(iw.nn.Gate), or type them as permuted or trivial"
)
LEARN = "Make it a parameter of this shape, which is typed and projected, or leave it out"
CAUSES = (
    (frozenset(["getitem", "select", "narrow", "unbind", "split", "chunk", "index_select"]), READS),
    (frozenset((*reduction.LINEAR, "layer_norm", "group_norm")), SUMS),
    (frozenset((*reduction.NORMS, *reduction.OTHERS, "softmax", "log_softmax", "cosine_similarity")), ALONG),
    (frozenset((*pointwise.PERMUTED, *combine.ENTRYWISE)), ENTRIES),
)


def vector_reason(typed: TypedCall) -> str:
    """One sentence with the cause and the remedy; empty where neither is known."""
    name = typed.place.function
    moving = [axis for kind in typed.inputs if kind.dynamic for axis in kind.axes]
    products = [rep for axis in moving for rep in multiplied(axis)]
    if products:
        return (
            f"products of {products[0]} by components, of which the sum alone means something. Take their scalar "
            "product, (u * v).sum(-1), their cross product or outer product, or multiply by invariants"
        )
    mixed = [rep for axis in moving for rep in mixed_fields(axis)]
    text = next((text for names, text in CAUSES if name in names), "") if mixed else ""
    return text.format(mixed[0]) if mixed else ""


def constant_text(kind: TensorType) -> str:
    """Of a constant that the group would have to leave as it is."""
    named = f", {listing(kind.parameters)}," if kind.parameters else ""
    text = f"its constant {kind}{named} is not one that the group leaves as it is"
    if any(mixed_fields(axis) for axis in kind.axes):
        return f"{text}, but a direction of its own. Give it to the model as an input that turns along, or leave it out"
    return f"{text}. {LEARN}"


def mixed_fields(axis: Axis) -> list[Representation]:
    """The representations on an axis that permute no features."""
    found: list[Representation] = []
    for term in axis.terms:
        for factor in term:
            if isinstance(factor, Carried) and not factor.rep.is_permutation:
                found.append(factor.rep)
            elif isinstance(factor, Nested):
                found += mixed_fields(factor.axis)
    return found


def multiplied(axis: Axis) -> list[Representation]:
    """The representations of which an axis has products of components."""
    return [
        rep
        for term in axis.terms
        for factor in term
        if isinstance(factor, Squared)
        for rep in mixed_fields(resolved(factor.axis))
    ]
