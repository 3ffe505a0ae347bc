"""What lies between the typed layers of a model and carries no representation: named, never guessed at."""

from collections.abc import Collection
from dataclasses import dataclass

from torch import nn

# They do nothing in eval mode.
TRANSPARENT = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)

_POINTWISE = "pointwise: equivariant on features that the group permutes, and on no others"
_NOTES = {
    "ReLU ReLU6 LeakyReLU PReLU RReLU ELU CELU SELU GELU SiLU Mish Softplus Sigmoid LogSigmoid Hardswish": _POINTWISE,
    "Tanh Hardtanh Softsign Tanhshrink Softshrink Hardshrink": f"odd, {_POINTWISE} (signs allowed)",
    "LayerNorm RMSNorm": "mean or affine weights over all features: they must be constant on each field",
    "GroupNorm": "its groups must hold whole fields",
    "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm": "affine weights and statistics must be constant on orbits",
    "InstanceNorm1d InstanceNorm2d InstanceNorm3d": "affine weights must be constant on orbits",
    "MultiheadAttention": "its heads must hold whole fields",
    "Softmax LogSoftmax Softmin": "over features: equivariant where the group permutes them",
}


@dataclass(frozen=True)
class Unanalysed:
    """A module without representation: ``name`` in the model, ``kind`` (its class) and what equivariance asks of it."""

    name: str
    kind: str
    note: str


def unanalysed_modules(model: nn.Module, typed: Collection[str]) -> tuple[Unanalysed, ...]:
    """The modules of ``model`` without children whose action on features nobody has stated.

    Left out are modules with a typed parameter, the layers of ``intertwine.nn`` (equivariant by construction) and
    those that do nothing in eval mode. Functions called inside ``forward`` cannot be seen here.

    Args:
        model: any module.
        typed: names of the modules with a typed parameter.

    Examples:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
        >>> [module.kind for module in unanalysed_modules(model, ["0"])]
        ['ReLU']
    """
    found = []
    ours: set[str] = set()
    for name, module in model.named_modules():
        if type(module).__module__.startswith("intertwine.nn"):
            ours.add(name)
        inside = any(name == owner or name.startswith(f"{owner}." if owner else "") for owner in ours)
        if inside or name in typed or isinstance(module, TRANSPARENT) or next(module.children(), None) is not None:
            continue
        found.append(Unanalysed(name or "(the model)", type(module).__name__, _note(module)))
    return tuple(found)


def _note(module: nn.Module) -> str:
    kind = type(module).__name__
    note = next((text for kinds, text in _NOTES.items() if kind in kinds.split()), "")
    if note:
        return note
    return "has parameters without representation" if next(module.parameters(), None) is not None else "unknown"
