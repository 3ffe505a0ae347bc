"""Why what an inverse transform makes is not equivariant, though only there waves become pixels again."""

from intertwine.tracing.axes import Wave, bare
from intertwine.tracing.calls import TypedCall
from intertwine.tracing.functions.fourier import in_order


def of_waves(typed: TypedCall) -> str:
    """The cause and the remedy."""
    for kind in typed.inputs:
        for axis in kind.axes:
            wave = bare(axis)
            if isinstance(wave, Wave) and wave.waves != in_order(wave.coordinate, wave.side, half=wave.half).waves:
                return f"it reads {wave} in another order: fftshift is undone by ifftshift, which differ for odd sides"
    return (
        "what was done to the waves does not commute with turning them: weights that got no type, or a function of "
        "real and imaginary parts by themselves, whose phases mirrors turn"
    )
