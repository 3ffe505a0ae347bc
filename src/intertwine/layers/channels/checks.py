"""Whether what norm layers and pointwise functions do to channels commutes with a representation: ``(ok, reason)``.

All follow from two facts on orthogonal matrices ``rho(g)``. Taking the mean off, ``x - 1 1^T x / n``, commutes iff
``rho(g) 1 = +-1``, 1 being the vector of ones. Dividing runs of channels by their norms commutes iff every ``rho(g)``
carries runs onto whole runs.
"""

from intertwine._numerics import Array
from intertwine.layers.channels.broadcast import signs_of_ones
from intertwine.layers.channels.chunks import whole_field_chunks
from intertwine.representations import Representation


def check_norm_of_all(rep: Representation) -> tuple[bool, str]:
    """``x / |x|``: the norm over all features, as in RMSNorm."""
    bad = [segment.field.name for segment in rep.segments if not segment.field.is_orthogonal]
    return not bad, f"the group does not keep the norm of {bad[0]}" if bad else ""


def check_mean_of_all(rep: Representation) -> tuple[bool, str]:
    """``x - mean(x)`` over all features, as in LayerNorm.

    Examples:
        >>> import intertwine as iw
        >>> check_mean_of_all(2 * iw.Cyclic(4).regular())
        (True, '')
        >>> check_mean_of_all(iw.SO(3).irreps("2x0 + 2x1"))
        (False, 'its mean adds up the components of 1, which the group mixes')
        >>> check_mean_of_all(iw.Cyclic(2).irreps("2x0 + 2x1"))
        (False, 'its mean adds up 0 and 1, which the group moves differently')
    """
    first: tuple[str, Array] | None = None
    for segment in rep.segments:
        signs = signs_of_ones(segment.field)
        if signs is None:
            return False, f"its mean adds up the components of {segment.field.name}, which the group mixes"
        if first is not None and (first[1] != signs).any():
            return False, f"its mean adds up {first[0]} and {segment.field.name}, which the group moves differently"
        first = first or (segment.field.name, signs)
    return True, ""


def check_groups(rep: Representation, groups: int, *, mean: bool = True) -> tuple[bool, str]:
    """Mean off and norm divided by in each of so many runs of channels, as in GroupNorm, InstanceNorm (one a channel).

    Examples:
        >>> import intertwine as iw
        >>> R = iw.Cyclic(4).regular()
        >>> check_groups(2 * R, 2), check_groups(2 * R, 8)
        ((True, ''), (True, ''))
        >>> check_groups(2 * R, 4)
        (False, 'a field regular reaches over the end of a chunk of 2 channels')
    """
    if rep.dim == 0:
        return True, ""
    chunks, reason = whole_field_chunks(rep, groups)
    if chunks is not None:
        for chunk in dict.fromkeys(chunks):
            for ok, why in (check_norm_of_all(chunk), check_mean_of_all(chunk) if mean else (True, "")):
                if not ok:
                    return False, why
        return True, ""
    table = rep.generator_permutations() if rep.dim % groups == 0 else None
    if table is None:
        return False, reason
    size = rep.dim // groups
    targets = (table[0] // size).reshape(len(table[0]), groups, size)
    signs = table[1].reshape(targets.shape)
    whole = (targets == targets[..., :1]).all() and (not mean or (signs == signs[..., :1]).all())
    return bool(whole), "" if whole else reason


def check_pointwise(rep: Representation, *, odd: bool) -> tuple[bool, str]:
    """``f(x_i)`` for every feature: the group must permute them, up to signs if f is odd.

    Examples:
        >>> import intertwine as iw
        >>> check_pointwise(iw.Cyclic(2).irreps("0 + 1"), odd=False)
        (False, 'the group changes the sign of 1')
        >>> check_pointwise(iw.SO(3).irreps("0 + 1"), odd=True)
        (False, 'the group mixes the components of 1')
    """
    for segment in rep.segments:
        table = segment.field.generator_permutations()
        if table is None:
            return False, f"the group mixes the components of {segment.field.name}"
        if not odd and (table[1] != 1).any():
            return False, f"the group changes the sign of {segment.field.name}"
    return True, ""
