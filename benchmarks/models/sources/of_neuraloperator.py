"""Neural operators of neuraloperator."""

from collections.abc import Callable
from typing import Any

from torch import nn

import intertwine as iw
from benchmarks.models.case import Case, drawn, seeded

# Of FNO: the default, then its positional embedding off with one option changed at a time.
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {"positional_embedding": "grid"},
    "no grid": {},
    "even modes": {"n_modes": (6, 6)},
    "instance norm": {"norm": "instance_norm"},
    "group norm": {"norm": "group_norm"},
    "padded": {"domain_padding": 0.25},
    "separable": {"separable": True},
    "without channel MLP": {"use_channel_mlp": False},
    "pre-activated": {"fno_block_precision": "full", "preactivation": True},
    "identity skips": {"fno_skip": "identity", "channel_mlp_skip": "identity"},
    "Tucker": {"factorization": "tucker", "rank": 0.5},
    "Tucker, reconstructed": {"factorization": "tucker", "rank": 0.5, "implementation": "reconstructed"},
    "CP": {"factorization": "cp", "rank": 0.5},
}


def cases() -> list[Case]:
    """Scalar and vector fields under D4, one dimension under its mirror, three under the octahedral group."""
    import neuralop
    from neuralop.models import FNO, TFNO, UNO

    source = f"neuraloperator {neuralop.__version__}"
    D4, C2, octahedral = iw.Dihedral(4), iw.Cyclic(2), iw.Octahedral()
    scalar, vector, solid = iw.on_grid(D4.trivial()), iw.on_grid(D4.standard()), iw.on_grid(octahedral.trivial())
    sign = C2.irrep(1)
    odd = iw.on_grid(sign, space=sign)
    small: dict[str, Any] = {"hidden_channels": 16, "n_layers": 2, "positional_embedding": None}

    def fno(kind: Any = FNO, channels: int = 1, **options: Any) -> Callable[[], nn.Module]:
        said = {"n_modes": (5, 5), "in_channels": channels, "out_channels": channels} | small | options
        return lambda: seeded(lambda: kind(**said))

    found = [
        Case(f"FNO, {name}", source, fno(**options), scalar, scalar, drawn(2, 1, 16, 16), "16 px")
        for name, options in OPTIONS.items()
    ]
    uno = {
        "channel_mlp_skip": "linear",
        "uno_out_channels": [16, 16, 16],
        "uno_n_modes": [[5, 5]] * 3,
        "uno_scalings": [[1, 1], [0.5, 0.5], [2, 2]],
        "n_layers": 3,
        "hidden_channels": 16,
        "in_channels": 1,
        "out_channels": 1,
        "positional_embedding": None,
    }
    return [
        *found,
        Case("FNO, no grid", source, fno(), scalar, scalar, drawn(2, 1, 15, 15), "15 px"),
        Case("FNO, vector fields", source, fno(channels=2), vector, vector, drawn(2, 2, 16, 16), "16 px"),
        Case("FNO, Burgers", source, fno(n_modes=(8,)), odd, odd, drawn(2, 1, 32), "32 px"),
        Case("FNO, solids", source, fno(n_modes=(3, 3, 3)), solid, solid, drawn(2, 1, 8, 8, 8), "8 px"),
        Case("TFNO", source, fno(TFNO, rank=0.5), scalar, scalar, drawn(2, 1, 16, 16), "16 px"),
        Case("UNO", source, lambda: seeded(lambda: UNO(**uno)), scalar, scalar, drawn(2, 1, 16, 16), "16 px"),
    ]
