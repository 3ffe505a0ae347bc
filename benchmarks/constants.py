"""What projectors keep in memory, beside the weights that they are for."""

from collections.abc import Iterator

import intertwine as iw
from benchmarks.row import Row
from benchmarks.settings import Settings
from benchmarks.weights import regular, so3_irreps

FLOAT32 = 4


def rows(settings: Settings) -> Iterator[Row]:
    """One row: the worst of linear maps of many kinds, all above 2^20 weights."""
    shares = {}
    for name, (rep_in, rep_out) in _pairs(1 if settings.quick else 8).items():
        P = iw.projector(rep_in, rep_out)
        shares[f"{name} {rep_out.dim} x {rep_in.dim} ({P.method})"] = 100 * P.constant_bytes / (FLOAT32 * P.numel)
    worst = max(shares, key=shares.__getitem__)
    yield Row(
        "constants",
        f"constants / float32 weights, the worst of {len(shares)} linear maps above 2^20: {worst}",
        shares[worst],
        unit="%",
        budget=1.0,
        note="; ".join(f"{name}: {share:.2g} %" for name, share in shares.items()),
    )


def _pairs(scale: int) -> dict[str, tuple[iw.Representation, iw.Representation]]:
    """Pairs of representations; scale 8 gives widths from 1024 to 1152."""
    dim = 135 * scale
    so2 = iw.SO(2).irreps(f"{32 * scale}x0 + {32 * scale}x1 + {18 * scale}x2")
    o3 = iw.O(3).irreps(f"{32 * scale}x0e + {16 * scale}x1o + {11 * scale}x2e")
    side = int(dim**0.5) + 1
    octahedral, icosahedral = iw.Octahedral(), iw.Icosahedral()
    pairs = {
        "SO(3) irreps": (so3_irreps(144 * scale),) * 2,
        "SO(2) irreps": (so2, so2),
        "O(3) irreps": (o3, o3),
        "C4 grid to regular": (iw.Cyclic(4).grid(side, side), regular(iw.Cyclic(4), dim)),
        "D4 regular": (regular(iw.Dihedral(4), dim),) * 2,
        "O regular": (regular(octahedral, dim),) * 2,
        "Oh regular": (regular(iw.Octahedral(reflections=True), dim),) * 2,
        "I regular": (regular(icosahedral, dim),) * 2,
        "O regular to standard": (regular(octahedral, dim), 45 * scale * octahedral.standard()),
        "S4 permutations": (33 * scale * iw.Symmetric(4).defining(),) * 2,
    }
    return {name: pair for name, pair in pairs.items() if pair[0].dim and pair[1].dim}
