"""Bounds of linear maps, convolutions, norm layers in eval mode and products."""

import math
from collections.abc import Callable, Sequence

import torch

from intertwine.certificates.bounds import Bound, VoidError, added, multiplied
from intertwine.certificates.call import Call
from intertwine.certificates.norms import kernel_norm, largest, size_of

Rule = Callable[[Call], Bound]


def linear(call: Call) -> Bound:
    """``x W^T + b``."""
    x, weight, bias = call.got(0, "input"), call.got(1, "weight"), call.got(2, "bias")
    found = call.mapped(call.bound(x), weight)
    return call.shifted(found, bias, call.out.numel() // max(1, weight.shape[0]))


def matmul(call: Call) -> Bound:
    """``A B``, one of them a constant, or both depending on the input."""
    one, other = call.got(0, "input"), call.got(1, "other", call.kwargs.get("mat2"))
    if call.name == "rmatmul":
        one, other = other, one
    moves = [isinstance(call.known(value), Bound) for value in (one, other)]
    if all(moves):
        return multiplied(call.bound(one), call.bound(other))
    moving, still = (one, other) if moves[0] else (other, one)
    if min(one.ndim, other.ndim) < 2:
        raise VoidError("a product with a vector")
    # A moving matrix that meets several still ones comes as often.
    times = math.prod(call.out.shape[:-2]) / max(1, math.prod(moving.shape[:-2]))
    return call.mapped(call.bound(moving), still, factor=math.sqrt(times))


def convolution(call: Call) -> Bound:
    """``conv1d`` to ``conv3d`` with zero padding."""
    weight, bias, groups = call.got(1, "weight"), call.got(2, "bias"), call.got(6, "groups", 1)
    found = call.mapped(call.bound(call.got(0, "input")), weight, _of_groups(groups))
    return call.shifted(found, bias, call.out.numel() // max(1, weight.shape[0]))


def transposed(call: Call) -> Bound:
    """``conv_transpose1d`` to ``conv_transpose3d``: the adjoint of a convolution, of the same norm."""
    weight, bias, groups = call.got(1, "weight"), call.got(2, "bias"), call.got(6, "groups", 1)
    found = call.mapped(call.bound(call.got(0, "input")), weight, _of_groups(groups))
    return call.shifted(found, bias, call.out.numel() // max(1, weight.shape[1] * groups))


def _of_groups(groups: int) -> Callable[[torch.Tensor], float]:
    return lambda weight: max((kernel_norm(part) for part in weight.chunk(groups)), default=0.0)


def batch_norm(call: Call) -> Bound:
    """With running statistics: ``a x + c``, a factor and a shift a channel."""
    x, eps = call.got(0, "input"), call.got(7, "eps", 1e-5)
    given = [call.got(1 + i, name) for i, name in enumerate(("running_mean", "running_var", "weight", "bias"))]
    if call.got(5, "training", False) or given[0] is None or given[1] is None:
        raise VoidError("a norm by the batch's own statistics depends on the other samples")
    known = [call.fixed(value, "a statistic") for value in given]
    channels = x.shape[1]
    plain = [
        torch.full((channels,), default, dtype=torch.float64) if value is None else value.detach().double()
        for value, default in zip(given, (0.0, 1.0, 1.0, 0.0), strict=True)
    ]
    equivariant = [
        value if one.residual is None else value - one.residual.detach().double()
        for value, one in zip(plain, known, strict=True)
    ]
    if not bool((equivariant[1] + eps > 0).all()):
        raise VoidError("a running variance whose equivariant part is not positive")
    (a, c), (a_own, c_own) = _affine(plain, eps), _affine(equivariant, eps)
    bound, count = call.bound(x), call.out.numel() // max(1, channels)
    names = [name for one in known if one.residual is not None for name in one.names]
    error = 2 * (largest(a - a_own) * bound.size + size_of(c - c_own) * math.sqrt(count))
    return bound.through(largest(a), size_of(c) * math.sqrt(count)).off_by(names, error)


def _affine(values: Sequence[torch.Tensor], eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    mean, variance, gamma, beta = values
    a = gamma / (variance + eps).sqrt()
    return a, beta - mean * a


def layer_norm(call: Call) -> Bound:
    """``layer_norm`` and ``rms_norm``: ``(x - mean) / sqrt(variance + eps)`` has the slope ``1 / sqrt(eps)``."""
    x, shape = call.got(0, "input"), call.got(1, "normalized_shape")
    rms = call.name == "rms_norm"
    weight, bias, eps = call.got(2, "weight"), None if rms else call.got(3, "bias"), call.got(3 if rms else 4, "eps")
    least = (torch.finfo(x.dtype).eps if rms else 1e-5) if eps is None else eps
    return _normalised(call, x, weight, bias, least, x.numel() // math.prod(shape))


def group_norm(call: Call) -> Bound:
    """The same within groups of channels."""
    x, eps = call.got(0, "input"), call.got(4, "eps", 1e-5)
    positions = x.numel() // max(1, x.shape[1])
    return _normalised(call, x, call.got(2, "weight"), call.got(3, "bias"), eps, positions)


def _normalised(call: Call, x: torch.Tensor, weight: object, bias: object, eps: float, positions: int) -> Bound:
    found = call.bound(x).through(eps**-0.5).at_most(math.sqrt(x.numel()))
    found = found if weight is None else call.stretched(found, weight)
    return call.shifted(found, bias, positions)


def product(call: Call) -> Bound:
    """``a b``, entry by entry."""
    one, other = call.got(0, "input"), call.got(1, "other")
    moves = [isinstance(value, torch.Tensor) and isinstance(call.known(value), Bound) for value in (one, other)]
    if all(moves):
        # However they are spread, each pair of entries meets once.
        return multiplied(call.bound(one), call.bound(other))
    moving, still = (one, other) if moves[0] else (other, one)
    return _spread(call, call.stretched(call.bound(moving), still), moving)


def quotient(call: Call) -> Bound:
    """``a / c`` by a constant."""
    one, other = call.got(0, "input"), call.got(1, "other")
    if call.kwargs.get("rounding_mode") is not None:
        raise VoidError("rounding has no Lipschitz constant")
    if not isinstance(other, torch.Tensor):
        return call.bound(one).through(1 / abs(float(other)))
    if call.fixed(other, "the divisor").residual is not None:
        raise VoidError("a divisor that is not equivariant")
    return _spread(call, call.bound(one).through(largest(1 / other.detach().double())), one)


def total(call: Call) -> Bound:
    """``a + b`` and ``a - b``."""
    if call.name == "rsub" and "alpha" in call.kwargs:
        raise VoidError("rsub with alpha")
    values = (call.got(0, "input"), call.got(1, "other"))
    factors = (1.0, abs(float(call.kwargs.get("alpha", 1))))
    terms = [
        _spread(call, call.bound(value).through(factor), value)
        for value, factor in zip(values, factors, strict=True)
        if isinstance(value, torch.Tensor) and isinstance(call.known(value), Bound)
    ]
    if len(terms) == 2:
        return added(terms)
    first_moves = isinstance(values[0], torch.Tensor) and isinstance(call.known(values[0]), Bound)
    still, factor = (values[1], factors[1]) if first_moves else (values[0], 1.0)
    if factor != 1.0:
        raise VoidError("a constant added with alpha")
    count = call.out.numel() // max(1, still.numel() if isinstance(still, torch.Tensor) else 1)
    return call.shifted(terms[0], still, count)


def _spread(call: Call, bound: Bound, moving: torch.Tensor) -> Bound:
    """Broadcast to what the call gives."""
    return bound.through(math.sqrt(call.out.numel() / max(1, moving.numel())))


def attention(call: Call) -> Bound:
    """``softmax(q k^T s + mask) v``, of which softmax has the slope 1 and gives rows of norm at most 1."""
    q, k, v = (call.got(i, name) for i, name in enumerate(("query", "key", "value")))
    if float(call.got(4, "dropout_p", 0.0)):
        raise VoidError("dropout")
    if k.shape[:-2] != q.shape[:-2]:
        raise VoidError("keys that several heads share")
    scale = call.got(6, "scale")
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = multiplied(call.bound(q), call.bound(k)).through(abs(float(scale)))
    rows, mask = q.numel() // max(1, q.shape[-1]), call.got(3, "attn_mask")
    if mask is not None:
        fixed = call.fixed(mask, "the mask")
        if fixed.residual is not None:  # as often as the mask is spread over the scores; softmax bounds their size
            times = rows * k.shape[-2] / max(1, mask.numel())
            scores = scores.off_by(fixed.names, 2 * size_of(fixed.residual) * math.sqrt(times))
    return multiplied(scores.through(1.0).at_most(math.sqrt(rows)), call.bound(v))


RULES: dict[str, Rule] = {
    "linear": linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "rmatmul"), matmul),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), transposed),
    "batch_norm": batch_norm,
    **dict.fromkeys(("layer_norm", "rms_norm"), layer_norm),
    "group_norm": group_norm,
    **dict.fromkeys(("mul", "multiply", "mul_"), product),
    **dict.fromkeys(("div", "truediv", "true_divide", "div_"), quotient),
    **dict.fromkeys(("add", "sub", "subtract", "add_", "sub_", "rsub"), total),
    "scaled_dot_product_attention": attention,
}
