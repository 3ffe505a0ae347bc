"""What lies between the typed layers of a model and carries no representation: named, never guessed at."""

from collections.abc import Collection
from dataclasses import dataclass

from torch import nn

from intertwine.diagnostics.models.model_layers import kind_name, model_layers
from intertwine.layers.registry import computed_rule_of, effective_of, own_ends, rule_of
from intertwine.layers.rule import Rules


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


def unanalysed_modules(model: nn.Module, typed: Collection[str], rules: Rules) -> tuple[Unanalysed, ...]:
    """The modules of ``model`` whose action on features nobody has stated.

    A module counts if its rule has a note, or if it has no children of its own. Left out are modules with a typed
    parameter, those that are equivariant by construction, and those that do nothing in eval mode. Functions called
    inside ``forward`` cannot be seen here.

    Args:
        model: any module.
        typed: names of the modules with a typed parameter.
        rules: the user's rules.

    Examples:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
        >>> [module.kind for module in unanalysed_modules(model, ["0"], {})]
        ['ReLU']
    """
    found = []
    whole: set[str] = set()  # of which no part is listed
    for name, module, leaf in model_layers(model):
        rule, computed = rule_of(module, rules), computed_rule_of(module, rules)
        if computed.equivariant or (name in typed and effective_of(module, rules)):
            whole.add(name)
        inside = any(name == owner or name.startswith(f"{owner}." if owner else "") for owner in whole)
        silent = computed.alike and not rule.note
        if inside or name in typed or silent or not (leaf or rule.note):
            continue
        if computed.note:
            whole.add(name)
        found.append(Unanalysed(name or "(the model)", kind_name(module), rule.note or _note(module)))
    return tuple(found)


def _note(module: nn.Module) -> str:
    if own_ends(module) is not None:
        return "carries its own types; whether it keeps them, iw.equivariance_error measures"
    return "has parameters without representation" if next(module.parameters(), None) is not None else "unknown"
