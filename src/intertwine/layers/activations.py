"""Activations: functions of each feature, and softmaxes."""

from torch import nn

from intertwine.layers.channels.fits import largest, pointwise
from intertwine.layers.grid.finding import Finding
from intertwine.layers.rule import LayerRule
from intertwine.representations import Representation

_PERMUTED = "pointwise: equivariant on features that the group permutes, and on no others"


def _prelu(module: nn.PReLU, rep: Representation, over: Representation | None = None) -> Finding | None:
    """One slope for all channels, or one for each."""
    return pointwise(module, rep, over) if module.num_parameters in (1, rep.dim) else None


_EVEN = LayerRule(fits=pointwise, note=_PERMUTED)
_ODD = LayerRule(fits=pointwise, note=f"odd, {_PERMUTED} (signs allowed)")
_SOFTMAX = LayerRule(fits=largest, note="over features: equivariant where the group permutes them")

POINTWISE: dict[type[nn.Module], LayerRule] = {
    **dict.fromkeys((nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU), _EVEN),
    **dict.fromkeys((nn.SiLU, nn.Mish, nn.Softplus, nn.Sigmoid, nn.LogSigmoid, nn.Hardswish, nn.Hardsigmoid), _EVEN),
    nn.Threshold: _EVEN,
    nn.PReLU: LayerRule(fits=_prelu, note=_PERMUTED),
    **dict.fromkeys((nn.Tanh, nn.Hardtanh, nn.Softsign, nn.Tanhshrink, nn.Softshrink, nn.Hardshrink), _ODD),
}
SOFTMAXES: dict[type[nn.Module], LayerRule] = dict.fromkeys(
    (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d), _SOFTMAX
)
