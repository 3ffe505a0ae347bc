"""Steps of weights whose coefficients are means of entries: AdamW on the coefficients, and on the rest.

P g has one number an orbit, and so have its moments. With the coefficients c of P W, and f = 1 / (1 + lr s),
``c <- AdamW(c, P g)``, ``W <- f AdamW(W, g - P g)``, and then the equivariant part of W is put in place:
``W <- W - P W + P^T c``. Both are torch's one-pass kernel, which takes f in its stride.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from intertwine.split.labels import BagsOfSeveral
from intertwine.split.options import Options
from intertwine.split.weight import STEP, Weight

Tensors = list[torch.Tensor]


class Stepped(NamedTuple):
    """What takes AdamW's step together, a tensor each."""

    values: Tensors
    gradients: Tensors
    first: Tensors
    second: Tensors
    steps: Tensors


def take_by_pieces(weight: Weight, options: Options) -> None:
    """One step of a large weight, in place, piece by piece."""
    value = weight.value()
    W, gradient, pieces = value.contiguous(), weight.gradient().contiguous(), weight.split.pieces
    step, factor = _counted(weight, value.device), weight.factor("-", options.lr)
    moments = [weight.state[key] for key in weight.moments()]
    step.add_(1)
    flat, grads = W.view(-1), gradient.view(-1)
    for layout, *places in pieces:
        where, coefficients, rest = (None, None, None) if len(pieces) == 1 else places
        piece, slope = _at(flat, where), _at(grads, where)
        first, second = (_at(moment, coefficients) for moment in moments[:2])
        X, g = layout.gathered(piece), layout.gathered(slope)
        c, toward = layout.coefficients(X), layout.coefficients(g)
        adamw_(Stepped([c], [toward], [first], [second], [step]), options)
        if len(moments) == 2:
            layout.write_(c, piece)
            continue
        layout.subtract_(g, toward)
        first, second = (_at(moment, rest) for moment in moments[2:])
        others = Stepped([X[: layout.changed]], [g[: layout.changed]], [first], [second], [step])
        shrink_with_adamw_(others, factor, options)
        if is_zero(factor):
            layout.write_(c, piece)
        else:
            layout.move_(X, c)
            layout.put_back(X, piece)
    if W is not value:
        value.copy_(W)
    if value is not weight.parameter:
        weight.parameter.copy_(value)


def take_labelled(weights: Sequence[Weight], options: Options, bags: BagsOfSeveral) -> None:
    """One step of several weights with labels and one factor, in place, side by side.

    Of a weight that is mostly zero under P, the entries that are not are set apart; the whole weight takes the step of
    the rest, which is written over where these are.
    """
    names, factor = list(weights[0].moments()), weights[0].factor("-", options.lr)
    steps = [_counted(weight, weight.parameter.device) for weight in weights]
    torch._foreach_add_(steps, 1)
    found = [_Side(weight, names) for weight in weights]
    outer = [(side.flat, side.slope, *side.outer, step) for side, step in zip(found, steps, strict=True) if side.outer]
    if outer:
        shrink_with_adamw_(Stepped(*map(list, zip(*outer, strict=True))), factor, options)
    first, second, *rest = ([side.moments[i] for side in found] for i in range(len(names)))
    labels = [weight.split.labels for weight in weights if weight.split.labels is not None]
    maps, ranks = bags.get(labels), [one.rank for one in labels]
    values = [side.value for side in found]
    X, g = (torch._C._nn.flatten_dense_tensors(tensors) for tensors in (values, [side.gradient for side in found]))
    c, toward = maps.coefficients(X), maps.coefficients(g)
    inner, pull = list(c.split_with_sizes(ranks)), list(toward.split_with_sizes(ranks))
    adamw_(Stepped(inner, pull, first, second, steps), options)
    if rest:
        g.sub_(maps.expanded(toward))
        sizes = [len(one.numbers) for one in labels]
        others = Stepped(list(X.split_with_sizes(sizes)), list(g.split_with_sizes(sizes)), rest[0], rest[1], steps)
        shrink_with_adamw_(others, factor, options)
    only = not rest or is_zero(factor)
    if only:
        X = maps.expanded(c)
    else:
        X.add_(maps.expanded(c - maps.coefficients(X)))
    torch._foreach_copy_(values, list(torch._C._nn.unflatten_dense_tensors(X, values)))
    for side in found:
        side.end(only=only)


class _Side:
    """What of one weight is laid beside that of others.

    Attributes:
        value: the weight, or those of its entries that P does not make zero, apart.
        gradient: likewise.
        moments: likewise, by name.
        flat: the whole weight, of one that is mostly zero under P.
        slope: its gradient.
        outer: moments of the whole, unless only coefficients are trained.
    """

    __slots__ = ("flat", "gradient", "moments", "outer", "slope", "value", "weight", "whole")

    def __init__(self, weight: Weight, names: Sequence[str]) -> None:
        self.weight = weight
        self.outer: tuple[torch.Tensor, ...] = ()
        self.whole = self.value = weight.value()
        self.gradient = weight.gradient()
        self.moments = [weight.state[name] for name in names]
        sparse = weight.split.sparse
        if sparse is None:
            return
        self.flat, self.slope = self.whole.contiguous().view(-1), self.gradient.contiguous().view(-1)
        places = sparse.places.get("places", self.flat)
        self.value, self.gradient = self.flat.index_select(0, places), self.slope.index_select(0, places)
        if len(names) > 2:
            sizes = [len(self.flat), len(places)]
            (m, m_apart), (v, v_apart) = (moment.split_with_sizes(sizes) for moment in self.moments[2:])
            self.outer, self.moments = (m, v), [*self.moments[:2], m_apart, v_apart]

    def end(self, *, only: bool) -> None:
        """Writes what was set apart, and the copy in full precision, into the weight; ``only``: zero beside it."""
        sparse = self.weight.split.sparse
        if sparse is not None:
            if only:
                self.flat.zero_()
            self.flat.scatter_(0, sparse.places.get("places", self.flat), self.value)
            if not self.whole.is_contiguous():
                self.whole.copy_(self.flat.view(self.whole.shape))
        if self.whole is not self.weight.parameter:
            self.weight.parameter.copy_(self.whole)


def is_zero(factor: float | torch.Tensor) -> bool:
    """Whether nothing of the rest is left; a tensor is not looked at."""
    return not isinstance(factor, torch.Tensor) and factor == 0


def shrink_with_adamw_(tensors: Stepped, factor: float | torch.Tensor, options: Options) -> None:
    """``W <- f AdamW(W)`` in place, as AdamW's step at another rate and decay; a factor of zero is left out."""
    if isinstance(factor, torch.Tensor):
        adamw_(tensors, options)
        torch._foreach_mul_(tensors.values, factor)
    else:
        adamw_(tensors, options if factor in (0, 1) else options.times(factor))


def adamw_(tensors: Stepped, options: Options) -> None:
    """AdamW's step in place, by torch's kernel, which makes one pass; a compiler cannot take it, and makes its own."""
    if torch.compiler.is_compiling():
        _adamw_by_operations_(tensors, options)
        return
    torch._fused_adamw_(
        tensors.values,
        tensors.gradients,
        tensors.first,
        tensors.second,
        [],
        tensors.steps,
        lr=options.lr,
        beta1=options.beta1,
        beta2=options.beta2,
        weight_decay=options.weight_decay,
        eps=options.eps,
        amsgrad=False,
        maximize=options.maximize,
    )


def _adamw_by_operations_(tensors: Stepped, options: Options) -> None:
    for W, gradient, m, v, step in zip(*tensors, strict=True):
        g = -gradient if options.maximize else gradient
        m.lerp_(g, 1 - options.beta1)
        v.mul_(options.beta2).addcmul_(g, g, value=1 - options.beta2)
        width = (v / (1 - options.beta2**step)).sqrt() + options.eps
        W.mul_(1 - options.lr * options.weight_decay).sub_(options.lr / (1 - options.beta1**step) * (m / width))


def _counted(weight: Weight, device: torch.device) -> torch.Tensor:
    """The count of steps, which the kernel wants where the weight is: a file that was read may have it elsewhere."""
    count: torch.Tensor = weight.state[STEP]
    if count.device != device:
        count = weight.state[STEP] = count.to(device)
    return count


def _at(tensor: torch.Tensor, where: slice | None) -> torch.Tensor:
    return tensor if where is None else tensor[where]
