"""Names of irreps that are frequencies: ``"2"``, and ``"0+"``, ``"0-"`` where there are mirrors."""

import numpy as np

from intertwine._numerics import Array
from intertwine.errors import SeparationError, SizeLimitError, UnknownNameError

# A frequency multiplies the rounding of an angle: matrices of this one multiply as the group does to 1e-10.
MAX_FREQUENCY = 100_000


def frequency(name: object) -> int | None:
    """``name`` as a whole number >= 0 if it is one, as an int or as digits; else None."""
    if isinstance(name, bool) or not isinstance(name, int | str | np.integer):
        return None
    text = str(name)
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else None


def check_frequency(f: int) -> int:
    """``f`` if it is at most ``MAX_FREQUENCY``.

    Raises:
        SizeLimitError: it is larger.
    """
    if f > MAX_FREQUENCY:
        raise SizeLimitError("label", expected=f"a frequency of at most {MAX_FREQUENCY}", got=str(f))
    return f


def unknown_irrep(group: object, name: object, names: str) -> UnknownNameError:
    """The error for an irrep that ``group`` does not have; ``names`` lists those it has."""
    return UnknownNameError("label", expected=f"an irrep of {group}: {names}", got=repr(name))


def spectrum(generator: Array) -> dict[int, int]:
    """How often the eigenvalue ``i f`` occurs, for whole f >= 0, in the image (dim, dim) of a turn's generator.

    Raises:
        SeparationError: an eigenvalue that is no whole number, so no representation of the circle.
    """
    if not generator.size:
        return {}
    values = np.linalg.eigvals(generator).imag
    rounded = np.rint(values)
    if np.abs(values - rounded).max() > 1e-3:
        worst = values[int(np.abs(values - rounded).argmax())]
        raise SeparationError(
            "algebra",
            expected="whole frequencies",
            got=f"{worst:.4f}",
            advice="The images are no representation of the circle.",
        )
    found, counts = np.unique(rounded[rounded >= 0].astype(int), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
