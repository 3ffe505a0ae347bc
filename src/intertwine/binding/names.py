"""Names in messages: what there is, the nearest first, and what a projector acts on."""

import difflib
from collections.abc import Iterable

from torch import nn
from torch.nn.utils import parametrize

from intertwine.errors import listing


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names as a text, those close to ``name`` first, cut after a dozen.

    Examples:
        >>> nearest("1.wieght", ["0.weight", "0.bias", "1.weight", "1.bias"])
        "'1.weight', '0.weight', '0.bias', '1.bias'"
    """
    names = list(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return listing(repr(word) for word in [*close, *(word for word in names if word not in close)])


def qualified_name(module: nn.Module) -> str:
    """The class of a module with the package that it is from, torch's own by their name alone.

    Examples:
        >>> import intertwine as iw
        >>> qualified_name(nn.ReLU()), qualified_name(iw.nn.FieldNorm(iw.Cyclic(4).regular()))
        ('ReLU', 'intertwine.nn.field_norm.FieldNorm')
    """
    kind = parametrize.type_before_parametrizations(module)
    plain = kind.__module__.startswith("torch.nn.modules")
    return kind.__name__ if plain else f"{kind.__module__}.{kind.__qualname__}"
