"""What lies between the typed layers of a model and carries no representation: named, never guessed at."""

from collections.abc import Collection
from dataclasses import dataclass

from torch import nn

from intertwine.diagnostics.models.model_layers import kind_name, model_layers

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
    """A module without representation: ``name`` in the model, ``kind`` (its class) and what equivariance asks of it.

    Examples:
        >>> import intertwine as iw, torch
        >>> V = iw.Cyclic(4).regular()
        >>> net = torch.nn.ModuleDict({"typed": torch.nn.Linear(4, 4), "other": torch.nn.LSTM(4, 4)})
        >>> found = iw.report(iw.bind(net, {"typed": (V, V)})).unanalysed
        >>> found[0].name, found[0].kind
        ('other', 'LSTM')
    """

    name: str
    kind: str
    note: str


def unanalysed_modules(model: nn.Module, typed: Collection[str]) -> tuple[Unanalysed, ...]:
    """The modules of ``model`` whose action on features nobody has stated.

    A module counts by its type, or if it has no children of its own. Left out are modules with a typed parameter, the
    layers of ``intertwine.nn`` (equivariant by construction) and those that do nothing in eval mode. Functions called
    inside ``forward`` cannot be seen here.

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
    whole: set[str] = set()  # of which no part is listed
    for name, module, leaf in model_layers(model):
        if type(module).__module__.startswith("intertwine.nn"):
            whole.add(name)
        inside = any(name == owner or name.startswith(f"{owner}." if owner else "") for owner in whole)
        if inside or name in typed or isinstance(module, TRANSPARENT) or not (leaf or _known(module)):
            continue
        if isinstance(module, nn.MultiheadAttention):
            whole.add(name)
        found.append(Unanalysed(name or "(the model)", kind_name(module), _note(module)))
    return tuple(found)


def _known(module: nn.Module) -> str:
    """The note on the nearest known type in the module's ancestry, or ""."""
    notes = {name: note for names, note in _NOTES.items() for name in names.split()}
    kinds = (kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch.nn"))
    return next((notes[kind] for kind in kinds if kind in notes), "")


def _note(module: nn.Module) -> str:
    note = _known(module)
    if note:
        return note
    return "has parameters without representation" if next(module.parameters(), None) is not None else "unknown"
