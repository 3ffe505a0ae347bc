"""Named errors: which argument, what was expected, what came, what to do."""

from collections.abc import Iterable


class IntertwineError(Exception):
    """Base of every error that Intertwine raises on purpose.

    Args:
        argument: name of the argument that is wrong, as the caller wrote it.
        expected: what it should have been.
        got: what came instead.
        advice: what to do about it, one sentence.

    Examples:
        >>> raise ShapeError("W", expected="shape (4, 2)", got="(2, 4)", advice="Transpose it.")
        Traceback (most recent call last):
        ...
        intertwine.errors.ShapeError: W: expected shape (4, 2); got (2, 4). Transpose it.
    """

    def __init__(self, argument: str, *, expected: object, got: object, advice: str = "") -> None:
        self.argument, self.expected, self.got, self.advice = argument, str(expected), str(got), advice
        super().__init__(f"{argument}: expected {expected}; got {got}.{' ' + advice if advice else ''}")

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments would otherwise break pickling, hence errors in worker processes.
        return _rebuild, (type(self), self.argument, self.expected, self.got, self.advice)


def _rebuild(kind: type[IntertwineError], argument: str, expected: str, got: str, advice: str) -> IntertwineError:
    return kind(argument, expected=expected, got=got, advice=advice)


class ArgumentError(IntertwineError, ValueError):
    """A value outside its allowed range or of the wrong kind.

    Examples:
        >>> import intertwine as iw
        >>> iw.Cyclic(0)
        Traceback (most recent call last):
        ...
        intertwine.errors.ArgumentError: n: expected an integer >= 1; got 0....
    """


class ShapeError(IntertwineError, ValueError):
    """A tensor whose shape does not fit the representations.

    Examples:
        >>> import intertwine as iw, torch
        >>> iw.projector(iw.Cyclic(4).regular()).project(torch.ones(3))
        Traceback (most recent call last):
        ...
        intertwine.errors.ShapeError: W: expected shape (4,), from regular; got shape (3,)....
    """


class DtypeError(IntertwineError, TypeError):
    """A tensor whose dtype cannot carry the computation.

    Examples:
        >>> import intertwine as iw, torch
        >>> iw.projector(iw.Cyclic(4).regular()).project(torch.ones(4).int())
        Traceback (most recent call last):
        ...
        intertwine.errors.DtypeError: W: expected a floating-point or complex tensor; got torch.int32....
    """


class GroupMismatchError(IntertwineError, ValueError):
    """Objects of different groups were combined, or an element does not belong to the group.

    Examples:
        >>> import intertwine as iw
        >>> iw.projector(iw.Cyclic(4).regular(), iw.Cyclic(3).regular())
        Traceback (most recent call last):
        ...
        intertwine.errors.GroupMismatchError: rep_out: expected a representation of C4, as rep_in is; got one of C3....
    """


class NotARepresentationError(IntertwineError, ValueError):
    """Matrices or permutations that do not multiply as the group does.

    Examples:
        >>> import intertwine as iw
        >>> iw.Cyclic(3).permutation([[1, 0]])
        Traceback (most recent call last):
        ...
        intertwine.errors.NotARepresentationError: images: expected permutations that multiply...
    """


class NotOrthogonalError(IntertwineError, ValueError):
    """A compact group was given matrices that are not orthogonal (unitary, if complex).

    Examples:
        >>> import intertwine as iw
        >>> iw.Cyclic(2).representation([[[1.0, 1.0], [0.0, -1.0]]])
        Traceback (most recent call last):
        ...
        intertwine.errors.NotOrthogonalError: images: expected orthogonal matrices...
    """


class SizeLimitError(IntertwineError, ValueError):
    """The exact computation asked for would be too large.

    Examples:
        >>> import intertwine as iw
        >>> iw.SO(3).elements()
        Traceback (most recent call last):
        ...
        intertwine.errors.SizeLimitError: elements: expected a finite group; got SO(3)....
    """


class SeparationError(IntertwineError, ArithmeticError):
    """Floating point cannot tell zero from non-zero here, so an exact rank cannot be given.

    Examples:
        >>> import intertwine as iw
        >>> twice = iw.Rings(radii=(1.0, 1.0), widths=(0.5, 0.5), band=(0, 0))
        >>> G = iw.SO(2)
        >>> iw.projector(G.trivial(), G.trivial(), kernel=(3, 3), rings=twice)
        Traceback (most recent call last):
        ...
        intertwine.errors.SeparationError: ...
    """


class NonFiniteError(IntertwineError, ValueError):
    """NaN or infinity where a finite number is needed.

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> _ = layer.weight.data.fill_(float("nan"))
        >>> iw.report(iw.bind(layer, {"": (V, V)}))
        Traceback (most recent call last):
        ...
        intertwine.errors.NonFiniteError: weight: expected finite numbers; got NaN or infinity....
    """


class UnknownNameError(IntertwineError, LookupError):
    """A name (irrep, module, parameter, axis) that does not exist; the message lists those that do.

    Examples:
        >>> import intertwine as iw
        >>> iw.Dihedral(4).irrep("7")
        Traceback (most recent call last):
        ...
        intertwine.errors.UnknownNameError: label: expected an irrep of D4: 0+, 0-, 1, 2+, 2-; got '7'....
    """


class MissingExtraError(IntertwineError, ImportError):
    """An optional dependency is missing; the message names the extra that brings it.

    Examples:
        >>> raise missing_extra("pandas", "report")
        Traceback (most recent call last):
        ...
        intertwine.errors.MissingExtraError: pandas: expected the package 'pandas' to be installed...
    """


class RankZeroWarning(UserWarning):
    """There is no equivariant map between two representations, so the projection is zero.

    Examples:
        >>> import intertwine as iw, warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error")  # a warning is an error
        ...     iw.projector(iw.SO(3).irrep(0), iw.SO(3).irrep(1))
        Traceback (most recent call last):
        ...
        intertwine.errors.RankZeroWarning: ...
    """


class DecayWarning(UserWarning):
    """A decay found nothing to act on, or does not reach what the optimiser puts into the model for evaluation.

    Examples:
        >>> import intertwine as iw, torch, warnings
        >>> G = iw.Cyclic(4)
        >>> layer = torch.nn.Linear(4, 4).requires_grad_(False)
        >>> binding = iw.bind(layer, {"": (G.regular(), G.regular())})
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", DecayWarning)  # a warning is an error
        ...     iw.EquivarianceDecay(optimizer, binding, strength=1.0)
        Traceback (most recent call last):
        ...
        intertwine.errors.DecayWarning: EquivarianceDecay: every typed parameter is frozen...
    """


class IdentityActionWarning(UserWarning):
    """Every element acted as the identity, so that a measurement tested nothing.

    Examples:
        >>> import intertwine as iw, torch, warnings
        >>> scores = 3 * iw.Cyclic(4).trivial()
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error")  # a warning is an error
        ...     iw.equivariance_error(torch.relu, scores, scores, torch.ones(3))
        Traceback (most recent call last):
        ...
        intertwine.errors.IdentityActionWarning: ...
    """


def listing(names: Iterable[object], limit: int = 12) -> str:
    """Names joined for an error message, cut after ``limit``.

    Examples:
        >>> listing(["a", "b", "c"], limit=2)
        'a, b and 1 more'
    """
    words = [str(name) for name in names]
    if not words:
        return "none"
    shown = ", ".join(words[:limit])
    return shown if len(words) <= limit else f"{shown} and {len(words) - limit} more"


def with_article(name: str) -> str:
    """A name behind "a" or "an", by its first letter.

    Examples:
        >>> with_article("Linear"), with_article("Embedding"), with_article("LSTM")
        ('a Linear', 'an Embedding', 'an LSTM')
    """
    # Abbreviations without a vowel are spelled, as LSTM; of words with u, unflatten and upsample begin with a vowel.
    spelled = name[:2].isupper() and name[0] in "FHLMNRSX" and name[1] not in "AEIOU"
    low = name[:3].lower()
    vowel = low[:1] in tuple("aeio") or (low[:2] in ("un", "up") and low != "uni" and not name[:2].isupper())
    return f"{'an' if spelled or vowel else 'a'} {name}"


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """The error to raise when ``package`` cannot be imported.

    Examples:
        >>> missing_extra("pandas", "report").advice
        "Install it with: pip install 'intertwine[report]'"
    """
    return MissingExtraError(
        package,
        expected=f"the package {package!r} to be installed",
        got="ModuleNotFoundError",
        advice=f"Install it with: pip install 'intertwine[{extra}]'",
    )
