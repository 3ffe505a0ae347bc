"""An upper bound of how far a whole network is from equivariant, from the residuals of its weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from intertwine._arguments import check_dense, check_instance, real_number
from intertwine._numerics import in_own_precision
from intertwine.binding import Binding
from intertwine.certificates.bounds import Bound, together
from intertwine.certificates.run import BoundedRun
from intertwine.errors import ArgumentError, IntertwineError, listing
from intertwine.tracing.models.preserved import preserved
from intertwine.tracing.models.value_trees import tensors


@dataclass(frozen=True)
class Certificate:
    """What ``certificate`` proves; a number wherever one is wanted, ``float(found)``.

    Attributes:
        bound: at least ``|f(g x) - g f(x)|``, for every g of the group; infinite where it is void.
        size: at least ``|f(x)|``.
        shares: what each weight's residual has a part in, by name, largest first; they add up to the bound.
        void: why nothing can be said, by name; empty where the bound holds.
        radius: of the inputs that it holds for, all with ``|x| <= radius``; None: the inputs that were given.

    Examples:
        >>> Certificate(bound=0.5, size=2.0, shares={"0.weight": 0.5}, void=(), radius=1.0).relative
        0.25
    """

    bound: float
    size: float
    shares: Mapping[str, float]
    void: tuple[str, ...]
    radius: float | None

    @property
    def relative(self) -> float:
        """The bound over that of the output's size; 0 where both are."""
        return self.bound / self.size if self.size else (0.0 if not self.bound else math.inf)

    def __float__(self) -> float:
        return self.bound

    def __str__(self) -> str:
        where = "on the given inputs" if self.radius is None else f"for |x| <= {self.radius:g}"
        if self.void:
            return f"void {where}: {listing(self.void)}"
        lines = [f"|f(g x) - g f(x)| <= {self.bound:.3g} {where}, for every g; |f(x)| <= {self.size:.3g}"]
        return "\n".join([*lines, *(f"  {share:.3g}  {name}" for name, share in self.shares.items())])


@in_own_precision
def certificate(
    model: nn.Module,
    binding: Binding,
    radius: float | None = None,
    *,
    example: torch.Tensor | None = None,
    inputs: torch.Tensor | None = None,
) -> Certificate:
    """An upper bound of ``|f(g x) - g f(x)|`` over all g and all ``|x| <= radius``, or on given inputs.

    The model is run once, and each call's bound follows from those of its arguments: let ``|h(x)| <= c`` and
    ``|h(g x) - g h(x)| <= e``. A linear map with residual ``R = W - P W`` makes ``|W| e + 2 |R| c`` of e, as the group
    acts by orthogonal maps; a pointwise function of slope L makes ``L e``; sums add, products take both. Norms of
    matrices are their largest singular values, those of convolutions certified over all frequencies, from above.
    Weights without residual have a bound of 0, or of rounding.

    What it is not: sharp. Slopes are the steepest, norms the largest, and a layer norm has the slope ``1 / sqrt(eps)``.
    With ``inputs`` the sizes are those that these inputs have, layer by layer, which is sharper and holds for them
    alone. It is about exact arithmetic: rounding of a float32 model comes on top. And it rests on the check of
    ``bind``: that the calls between the weights commute with the group.

    Args:
        model: ``binding.model``.
        binding: one that ``bind(model, rep_in=..., example=...)`` inferred from a run, with its check.
        radius: the largest ``|x|``, the norm of all entries of the input; None with ``inputs``.
        example: one input of the shape that the bound is for, as (1, channels, height, width): the norm is that of all
            its samples together. Its values count only where the model branches on them.
        inputs: inputs along axis 0, shape (n, ...), on each of which the bound holds: theirs is the largest.

    Returns:
        The bound, or why it is void: breakers, weights without a type, functions without a rule for bounds (products
        that depend on the input twice have one, softmax and attention too), by name.

    Raises:
        ArgumentError: a binding by hand, or of another model; neither or both of radius and inputs.

    Source:
        Telescoping defects through Lipschitz constants is folklore; norms of convolutions: Sedghi, Gupta and Long
        2019, arXiv 1805.10408.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Cyclic(4)
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
        >>> x = torch.randn(1, 4)
        >>> binding = iw.bind(model, rep_in=G.regular(), rep_out=G.regular(), example=x)
        >>> found = iw.certificate(model, binding, radius=1.0, example=x)
        >>> unit = x / x.norm()
        >>> error = iw.equivariance_error(model, G.regular(), G.regular(), unit)
        >>> error.absolute_worst <= found.bound
        True
        >>> _ = binding.project_()
        >>> iw.certificate(model, binding, radius=1.0, example=x).bound < 1e-5
        True
    """
    check_instance("binding", binding, Binding, "an intertwine.Binding")
    if binding.model is not model:
        raise ArgumentError("binding", expected="a binding of this model", got="one of another model")
    if binding.inference is None or not binding.inference.checked:
        raise ArgumentError(
            "binding",
            expected="one that was inferred from a run and checked",
            got="types by hand" if binding.inference is None else "no check",
            advice="intertwine.bind(model, rep_in=..., rep_out=..., example=...); overrides= takes types by hand.",
        )
    if (radius is None) == (inputs is None):
        raise ArgumentError("radius", expected="either radius with an example, or inputs", got="both or neither")
    name, given = ("inputs", inputs) if radius is None else ("example", example)
    if not isinstance(given, torch.Tensor) or not given.is_floating_point() or not given.ndim:
        raise ArgumentError(name, expected="a tensor of numbers, the model's only input", got=type(given).__name__)
    check_dense(name, given, values=True)
    if not given.numel():
        raise ArgumentError(name, expected="at least one input", got=f"shape {tuple(given.shape)}")
    reach = None if radius is None else real_number("radius", radius, "a number >= 0", minimum=0.0)
    reasons = _reasons(binding)
    if reasons:
        return Certificate(math.inf, math.inf, {}, reasons, reach)
    samples = [given] if reach is not None else list(given.split(1))
    try:
        found = [_bounded(model, binding, sample, reach) for sample in samples]
    except IntertwineError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        got = f"{type(error).__name__}: {error}"[:200]
        raise ArgumentError(name, expected="what the model takes", got=got) from error
    return max(found, key=lambda one: one.bound)


def _bounded(model: nn.Module, binding: Binding, sample: torch.Tensor, radius: float | None) -> Certificate:
    with preserved(model) as kept:
        kept.draw_alike()
        running = BoundedRun(model, binding, radius)
        output = running.run(sample)
    bounds = [running.known(tensor) for tensor in tensors(output)]
    void = running.void(tensors(output))
    if void:
        return Certificate(math.inf, math.inf, {}, void, radius)
    whole = together(bound for bound in bounds if isinstance(bound, Bound))
    # In quadrature the parts of several outputs add up to more than they do together.
    shares = dict(sorted(whole.parts.items(), key=lambda item: -item[1]))
    return Certificate(whole.error, whole.size, shares, (), radius)


def _reasons(binding: Binding) -> tuple[str, ...]:
    """Why no bound can hold, whatever the weights."""
    inference = binding.inference
    if inference is None:
        return ("types by hand",)
    found = [f"breaks the symmetry: {breaker.module}: {breaker.function}" for breaker in inference.breakers]
    found += [f"no rule for types: {name}" for name in inference.unknown]
    found += [f"not typed: {name}" for name in binding.unaccounted]
    found += [f"not judged: {text}" for text in inference.blind]
    found += [f"runs part: {inference.parted}"] if inference.parted else []
    found += [f"output: {inference.output_conflict}"] if inference.output_conflict else []
    return tuple(found)
