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
    """A value outside its allowed range or of the wrong kind."""


class ShapeError(IntertwineError, ValueError):
    """A tensor whose shape does not fit the representations."""


class DtypeError(IntertwineError, TypeError):
    """A tensor whose dtype cannot carry the computation."""


class GroupMismatchError(IntertwineError, ValueError):
    """Objects of different groups were combined, or an element does not belong to the group."""


class NotARepresentationError(IntertwineError, ValueError):
    """Matrices or permutations that do not multiply as the group does."""


class NotOrthogonalError(IntertwineError, ValueError):
    """A compact group was given matrices that are not orthogonal (unitary, if complex)."""


class SizeLimitError(IntertwineError, ValueError):
    """The exact computation asked for would be too large."""


class SeparationError(IntertwineError, ArithmeticError):
    """Floating point cannot tell zero from non-zero here, so an exact rank cannot be given."""


class NonFiniteError(IntertwineError, ValueError):
    """NaN or infinity where a finite number is needed."""


class UnknownNameError(IntertwineError, LookupError):
    """A name (irrep, module, parameter, axis) that does not exist; the message lists those that do."""


class MissingExtraError(IntertwineError, ImportError):
    """An optional dependency is missing; the message names the extra that brings it."""


class RankZeroWarning(UserWarning):
    """There is no equivariant map between two representations, so the projection is zero."""


class DecayWarning(UserWarning):
    """A decay found nothing to act on, or does not reach what the optimiser puts into the model for evaluation."""


class IdentityActionWarning(UserWarning):
    """Every element acted as the identity, so that a measurement tested nothing."""


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


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """The error to raise when ``package`` cannot be imported."""
    return MissingExtraError(
        package,
        expected=f"the package {package!r} to be installed",
        got="ModuleNotFoundError",
        advice=f"Install it with: pip install 'intertwine[{extra}]'",
    )
