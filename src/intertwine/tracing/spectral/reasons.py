"""Why what an inverse transform makes is not equivariant, though only there waves become pixels again."""

from intertwine.tracing.axes import Digit, Wave, bare
from intertwine.tracing.calls import TypedCall
from intertwine.tracing.functions.fourier import in_order


def of_waves(typed: TypedCall) -> str:
    """The cause and the remedy."""
    for kind in typed.inputs:
        for axis in kind.axes:
            wave = bare(axis)
            if isinstance(wave, Wave) and wave.waves != in_order(wave.coordinate, wave.side, half=wave.half).waves:
                return f"it reads {wave} in another order: fftshift is undone by ifftshift, which differ for odd sides"
            if isinstance(wave, Wave) and not wave.half and _length(typed, wave.coordinate) != wave.side:
                what = f"it makes {_length(typed, wave.coordinate)} pixels of {wave}: waves are cut off, or zeros put,"
                where = "at the end of their axis, where those of negative number are"
                return f"{what} {where}. Do so around wave 0, or resize the pixels"
    return (
        "what was done to the waves does not commute with turning them: weights that got no type, or a function of "
        "real and imaginary parts by themselves, whose phases mirrors turn"
    )


def _length(typed: TypedCall, coordinate: int) -> int | None:
    """How many pixels a result has along a coordinate."""
    factors = [bare(axis) for kind in typed.outputs for axis in kind.axes]
    return next((f.size for f in factors if isinstance(f, Digit) and f.coordinate == coordinate), None)
