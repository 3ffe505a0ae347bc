"""Segmenters of MONAI: of images under D4, of volumes under the octahedral group."""

from collections.abc import Callable
from typing import Any

from torch import nn

import intertwine as iw
from benchmarks.models.case import Case, drawn, seeded


def cases() -> list[Case]:
    """Small segmenters with random weights, on sides that they take."""
    import monai
    from monai.networks import nets

    channels: dict[str, Any] = {"in_channels": 1, "out_channels": 2}
    levels: dict[str, Any] = {"channels": (8, 16, 32), "strides": (2, 2), **channels}
    residual: dict[str, Any] = {"blocks_down": (1, 1), "blocks_up": (1,), "init_filters": 8, **channels}
    dynamic: dict[str, Any] = {
        "kernel_size": [3, 3, 3],
        "strides": [1, 2, 2],
        "upsample_kernel_size": [2, 2],
        "filters": [8, 16, 16],
        **channels,
    }
    makes: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
        "UNet": (lambda: nets.UNet(2, num_res_units=1, **levels), 2, 32),
        "UNet of volumes": (lambda: nets.UNet(3, num_res_units=1, **levels), 3, 16),
        "BasicUNet": (lambda: nets.BasicUNet(2, features=(8, 8, 16, 16, 16, 8), **channels), 2, 32),
        "AttentionUnet": (lambda: nets.AttentionUnet(2, **levels), 2, 32),
        "UNETR": (
            lambda: nets.UNETR(
                img_size=(32, 32), feature_size=8, hidden_size=32, mlp_dim=64, num_heads=4, spatial_dims=2, **channels
            ),
            2,
            32,
        ),
        "SwinUNETR": (lambda: nets.SwinUNETR(feature_size=12, spatial_dims=2, window_size=4, **channels), 2, 64),
        "SegResNet": (lambda: nets.SegResNet(2, **residual), 2, 32),
        "SegResNet of volumes": (lambda: nets.SegResNet(3, **residual), 3, 12),
        "DynUNet": (lambda: nets.DynUNet(2, **dynamic), 2, 32),
        "DynUNet of volumes": (lambda: nets.DynUNet(3, **dynamic), 3, 12),
        "VNet": (lambda: nets.VNet(2, 1, 2), 2, 32),
        "HighResNet": (lambda: nets.HighResNet(2, 1, 2), 2, 16),
    }
    groups = {2: iw.Dihedral(4), 3: iw.Octahedral()}
    return [
        Case(
            name,
            f"monai {monai.__version__}",
            lambda make=make: seeded(make),  # type: ignore[misc]
            iw.on_grid(groups[dim].trivial()),
            iw.on_grid(2 * groups[dim].trivial()),
            drawn(1, 1, *(side,) * dim),
            f"{side} px",
        )
        for name, (make, dim, side) in makes.items()
    ]
