"""Networks of transformers for images, sound, time series and control."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.case import Case

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
PATCHES = {**SMALL, "image_size": 32, "patch_size": 8}
STAGES = {"depths": [1, 1], "image_size": 32}
# Model class, its configuration, pixels.
IMAGES: dict[str, tuple[dict[str, Any], int]] = {
    "ViT": (PATCHES, 32),
    "DeiT": (PATCHES, 32),
    "Beit": ({**PATCHES, "use_relative_position_bias": True, "use_mean_pooling": True}, 32),
    "Dinov2": ({**PATCHES, "mlp_ratio": 2}, 32),
    "DINOv3ViT": ({**PATCHES, "num_register_tokens": 2}, 32),
    "CLIPVision": (PATCHES, 32),
    "SiglipVision": (PATCHES, 32),
    "ViTMAE": ({**PATCHES, "mask_ratio": 0.0, "decoder_hidden_size": 32, "decoder_num_hidden_layers": 1,
                "decoder_num_attention_heads": 4, "decoder_intermediate_size": 64}, 32),
    "ViTMSN": (PATCHES, 32),
    "Yolos": ({**PATCHES, "image_size": [32, 32], "num_detection_tokens": 3}, 32),
    "IJepa": (PATCHES, 32),
    "Swin": ({**STAGES, "patch_size": 4, "embed_dim": 32, "num_heads": [2, 4], "window_size": 4}, 32),
    "Swin of one block a stage": ({**STAGES, "patch_size": 4, "embed_dim": 32, "num_heads": [2, 4], "window_size": 8},
                                  64),
    "Swinv2": ({**STAGES, "patch_size": 4, "embed_dim": 32, "num_heads": [2, 4], "window_size": 4}, 32),
    "Segformer": ({"num_encoder_blocks": 2, "depths": [1, 1], "sr_ratios": [4, 2], "hidden_sizes": [32, 64],
                   "patch_sizes": [7, 3], "strides": [4, 2], "num_attention_heads": [2, 4], "mlp_ratios": [2, 2]}, 33),
    "Pvt": ({"image_size": 32, "num_encoder_blocks": 2, "depths": [1, 1], "sequence_reduction_ratios": [2, 1],
             "hidden_sizes": [32, 64], "patch_sizes": [4, 2], "strides": [4, 2], "num_attention_heads": [2, 4],
             "mlp_ratios": [2, 2]}, 32),
    "ConvNext": ({"depths": [1, 1], "hidden_sizes": [32, 64], "num_stages": 2}, 32),
    "PoolFormer": ({"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 32, 32], "mlp_ratio": 2.0}, 65),
    "FocalNet": ({"image_size": 32, "embed_dim": 32, "depths": [1, 1], "hidden_sizes": [32, 64],
                  "focal_levels": [2, 2], "focal_windows": [3, 3]}, 32),
    "Hiera": ({"image_size": [29, 29], "embed_dim": 32, "depths": [1, 1], "num_heads": [1, 2], "patch_size": [7, 7],
               "patch_stride": [4, 4], "patch_padding": [3, 3], "num_query_pool": 1, "masked_unit_size": [2, 2]}, 29),
    "MobileViT": ({"image_size": 64, "hidden_sizes": [32, 32, 32], "neck_hidden_sizes": [8, 8, 16, 16, 32, 32, 32]},
                  64),
    "ResNet": ({"embedding_size": 16, "hidden_sizes": [32, 64], "depths": [1, 1], "layer_type": "basic"}, 33),
}  # fmt: skip


def cases() -> list[Case]:
    """Images under D4; sound by the sign of the signal or of features; series and control by signs and exchanges."""
    import transformers

    D4 = iw.Dihedral(4)
    images = iw.on_grid(3 * D4.trivial())
    return [
        Case(
            name,
            f"transformers {transformers.__version__}",
            _maker(transformers, name, options, lambda model, x: _pooled(model(pixel_values=x))),
            images,
            None,
            torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0)),
            f"{side} px",
        )
        for name, (options, side) in IMAGES.items()
    ]


def _pooled(output: Any) -> torch.Tensor:
    """The mean of all tokens or pixels."""
    hidden: torch.Tensor = output[0]
    return hidden.mean((2, 3)) if hidden.ndim == 4 else hidden.mean(1)


def _maker(
    package: Any, name: str, options: dict[str, Any], call: Callable[..., torch.Tensor]
) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        torch.manual_seed(0)
        word = name.split(maxsplit=1)[0]
        config = getattr(package, f"{word}Config")(**options)
        return Called(getattr(package, f"{word}Model")(config), call)

    return make


class Called(nn.Module):
    """A model called in one way."""

    def __init__(self, model: nn.Module, call: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.model, self.call = model, call
        self.head = nn.LazyLinear(10)

    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        """What the call gives."""
        return self.head(self.call(self.model, *args))
