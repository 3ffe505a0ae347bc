"""Networks of diffusers: denoisers, autoencoders, a control network."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.case import Case, drawn, seeded


def cases() -> list[Case]:
    """Small networks of diffusers on 32 pixels under D4, one on a line under its mirror."""
    import diffusers as df

    def unet(**options: Any) -> nn.Module:
        return df.UNet2DModel(
            sample_size=32,
            in_channels=3,
            out_channels=3,
            layers_per_block=1,
            block_out_channels=(32, 64),
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            **options,
        )

    conditioned = {
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "cross_attention_dim": 16,
        "attention_head_dim": 4,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    }
    coder = {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": (32, 64),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "latent_channels": 4,
    }
    transformer = {"num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2, "sample_size": 8}
    makes: dict[str, tuple[Callable[[], nn.Module], int]] = {
        "UNet2DModel": (lambda: Denoiser(unet()), 3),
        "UNet2DModel, one group a norm": (lambda: Denoiser(unet(norm_num_groups=1)), 3),
        "UNet2DConditionModel": (
            lambda: Conditioned(
                df.UNet2DConditionModel(
                    sample_size=32,
                    in_channels=4,
                    out_channels=4,
                    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                    **conditioned,
                )
            ),
            4,
        ),
        "ControlNetModel": (
            lambda: Controlled(
                df.ControlNetModel(in_channels=4, conditioning_embedding_out_channels=(8, 16), **conditioned)
            ),
            4,
        ),
        "AutoencoderKL": (lambda: Coder(df.AutoencoderKL(**coder)), 3),
        "VQModel": (lambda: Coder(df.VQModel(num_vq_embeddings=16, **coder)), 3),
        "DiTTransformer2DModel": (
            lambda: Diffused(df.DiTTransformer2DModel(in_channels=4, patch_size=2, norm_num_groups=4, **transformer)),
            4,
        ),
        "Transformer2DModel": (
            lambda: Plain(df.Transformer2DModel(in_channels=32, norm_num_groups=8, **transformer)),
            32,
        ),
        "UNet2DModel of convolutions alone": (
            lambda: Denoiser(
                df.UNet2DModel(
                    sample_size=32,
                    in_channels=3,
                    out_channels=3,
                    layers_per_block=1,
                    block_out_channels=(32, 32),
                    down_block_types=("DownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "UpBlock2D"),
                    downsample_type="resnet",
                    upsample_type="resnet",
                )
            ),
            3,
        ),
    }
    D4 = iw.Dihedral(4)
    found = []
    for name, (make, width) in makes.items():
        side = 8 if "Transformer" in name else 32
        images = iw.on_grid(width * D4.trivial())
        source = f"diffusers {df.__version__}"
        built = lambda make=make: seeded(make)  # noqa: E731
        out = iw.on_grid(64 * D4.trivial()) if name == "ControlNetModel" else images
        found.append(Case(name, source, built, images, out, drawn(1, width, side, side), f"{side} px"))
    return found


class Plain(nn.Module):
    """A network whose sample is asked for."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images to images."""
        sample: torch.Tensor = self.net(x).sample
        return sample


class Denoiser(Plain):
    """At one time."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Noisy images to noise."""
        sample: torch.Tensor = self.net(x, torch.full((len(x),), 10)).sample
        return sample


class Diffused(Plain):
    """At one time, of one class."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Noisy images to noise."""
        times = torch.full((len(x),), 10)
        sample: torch.Tensor = self.net(x, timestep=times, class_labels=times).sample
        return sample[:, : x.shape[1]]


class Conditioned(Plain):
    """With a text that stays as it is."""

    def __init__(self, net: Any) -> None:
        super().__init__(net)
        self.register_buffer("text", drawn(1, 5, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Noisy images to noise."""
        times = torch.full((len(x),), 10)
        sample: torch.Tensor = self.net(x, times, encoder_hidden_states=self.text.expand(len(x), -1, -1)).sample
        return sample


class Controlled(Conditioned):
    """With an image that controls it: the middle of its network."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Noisy images to what is added in the middle of the denoiser."""
        times = torch.full((len(x),), 10)
        control = nn.functional.interpolate(x[:, :3], scale_factor=2)
        found = self.net(x, times, encoder_hidden_states=self.text.expand(len(x), -1, -1), controlnet_cond=control)
        middle: torch.Tensor = found.mid_block_res_sample
        return middle


class Coder(Plain):
    """What an autoencoder makes of images, by the middle of its latent distribution."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images to images."""
        code = self.net.encode(x)
        latent = code.latent_dist.mode() if hasattr(code, "latent_dist") else code.latents
        sample: torch.Tensor = self.net.decode(latent).sample
        return sample
