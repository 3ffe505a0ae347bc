"""Networks of transformers for images, sound, time series and control."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.case import Case, randomised

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
    "Hiera": ({"image_size": [32, 32], "embed_dim": 32, "depths": [1, 1], "num_heads": [1, 2], "patch_size": [7, 7],
               "patch_stride": [4, 4], "patch_padding": [3, 3], "num_query_pool": 1, "masked_unit_size": [2, 2]}, 32),
    "MobileViT": ({"image_size": 64, "hidden_sizes": [32, 32, 32], "neck_hidden_sizes": [8, 8, 16, 16, 32, 32, 32]},
                  64),
    "ResNet": ({"embedding_size": 16, "hidden_sizes": [32, 64], "depths": [1, 1], "layer_type": "basic"}, 33),
}  # fmt: skip


SOUND = {
    **SMALL,
    "conv_dim": [16, 16], "conv_kernel": [5, 3], "conv_stride": [3, 2], "num_feat_extract_layers": 2,
    "num_conv_pos_embedding_groups": 2, "num_conv_pos_embeddings": 4, "mask_time_prob": 0.0, "vocab_size": 20,
}  # fmt: skip
# Turned back in time: an even kernel whose last step is dropped cannot commute with that, an odd one does.
SOUNDS: dict[str, dict[str, Any]] = {
    "Wav2Vec2": SOUND,
    "Wav2Vec2 with an odd kernel of positions": {**SOUND, "num_conv_pos_embeddings": 3},
    "Hubert with an odd kernel of positions": {**SOUND, "num_conv_pos_embeddings": 3},
    "WavLM with an odd kernel of positions": {**SOUND, "num_conv_pos_embeddings": 3, "num_buckets": 8},
    "UniSpeech with an odd kernel of positions": {**SOUND, "num_conv_pos_embeddings": 3},
}
VIDEO = {**SMALL, "image_size": 16, "num_frames": 4}
VIDEOS: dict[str, dict[str, Any]] = {
    "VideoMAE": {**VIDEO, "patch_size": 8, "tubelet_size": 2, "use_mean_pooling": True},
    "Vivit": {**VIDEO, "tubelet_size": [2, 8, 8]},
    "Timesformer": {**VIDEO, "patch_size": 8},
}
WHISPER = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "vocab_size": 50,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "num_mel_bins": 8,
    "max_source_positions": 6, "max_target_positions": 8, "pad_token_id": 0, "decoder_start_token_id": 1,
}  # fmt: skip
SERIES = {
    "prediction_length": 4, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
}  # fmt: skip


def cases() -> list[Case]:
    """Images, films and sound moved as such; series and control by exchanged channels and signs."""
    import transformers

    return [*_images(transformers), *_sounds(transformers), *_others(transformers)]


def _images(package: Any) -> list[Case]:
    D4 = iw.Dihedral(4)
    images = iw.on_grid(3 * D4.trivial())
    films = iw.on_grid(3 * D4.trivial(), space=D4.standard() + D4.trivial())
    found = [
        _case(package, name, options, lambda model, x: pooled(model(pixel_values=x)), images, _drawn(2, 3, side, side))
        for name, (options, side) in IMAGES.items()
    ]
    for name, options in VIDEOS.items():
        x = _drawn(1, 3, 4, 16, 16)
        found.append(_case(package, name, options, lambda m, x: pooled(m(pixel_values=x.transpose(1, 2))), films, x))
    return found


def _sounds(package: Any) -> list[Case]:
    C2 = iw.Cyclic(2)
    back = iw.on_grid(C2.trivial(), space=C2.irrep(1))
    found = [
        _case(package, name, options, lambda model, x: pooled(model(x.squeeze(1))), back, _drawn(2, 1, 65))
        for name, options in SOUNDS.items()
    ]
    bands = iw.on_grid(8 * C2.trivial(), space=C2.irrep(1))

    def heard(model: nn.Module, x: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        return pooled(model(input_features=x, decoder_inputs_embeds=words))

    x = (_drawn(2, 8, 12), _drawn(2, 3, 32))
    return [*found, _case(package, "Whisper", WHISPER, heard, (bands, None), x)]


def _others(package: Any) -> list[Case]:
    C2 = iw.Cyclic(2)
    regular, swap = 16 * C2.regular(), C2.permutation([[1, 0, 3, 2]])
    state = 3 * C2.trivial() + 2 * C2.irrep(1) + C2.permutation([[3, 4, 5, 0, 1, 2]])
    tokens, series = _drawn(2, 8, 32), _drawn(2, 16, 4)

    def encoded(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = model(inputs_embeds=x)[0]
        return hidden[:, -1]

    def decided(model: nn.Module, states: torch.Tensor, actions: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
        steps, mask = torch.arange(5).expand(2, 5), torch.ones(2, 5, dtype=torch.long)
        acts: torch.Tensor = model(states, actions, None, back, steps, mask)[1]
        return acts[:, -1]

    control = {"state_dim": 11, "act_dim": 4, "hidden_size": 32, "n_layer": 2, "n_head": 4, "max_ep_len": 8}
    patches = {"num_input_channels": 4, "context_length": 16, "patch_length": 4, "patch_stride": 4, "d_model": 32}
    trained = {"num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 64, "prediction_length": 3}
    latents = {"num_latents": 4, "d_latents": 32, "d_model": 32, "num_blocks": 1, "num_self_attends_per_block": 2}
    perceiver = {**latents, "num_self_attention_heads": 4, "num_cross_attention_heads": 4}
    found = [
        _case(package, name, {**SERIES, **more}, encoded, 4 * C2.regular() + C2.trivial(), _drawn(2, 8, 9), "encoder")
        for name, more in (("Informer", {}), ("TimeSeriesTransformer", {}), ("Autoformer", {"moving_average": 3}))
    ]
    for name, more in (("PatchTST", trained), ("PatchTSMixer", {"prediction_length": 3, "num_layers": 2})):
        found.append(_case(package, name, {**patches, **more}, _forecast, swap, series))
    found.append(_case(package, "Perceiver", perceiver, lambda model, x: pooled(model(x)), regular, tokens))
    three = (_drawn(2, 5, 11), _drawn(2, 5, 4), _drawn(2, 5, 1))
    found.append(_case(package, "DecisionTransformer", control, decided, (state, swap, None), three))
    return found


def _forecast(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Mean over patches: (batch, channels, width) to a number a channel."""
    hidden: torch.Tensor = model(x)[0]
    return hidden.mean((1, 2))


def _drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def pooled(output: Any) -> torch.Tensor:
    """The mean of all tokens or pixels."""
    hidden: torch.Tensor = output[0]
    return hidden.mean((2, 3)) if hidden.ndim == 4 else hidden.mean(1)


def _case(
    package: Any,
    name: str,
    options: dict[str, Any],
    call: Callable[..., torch.Tensor],
    rep_in: Any,
    example: Any,
    part: str = "",
) -> Case:
    def make() -> nn.Module:
        torch.manual_seed(0)
        word = name.split(maxsplit=1)[0]
        config = getattr(package, f"{word}Config")(**options)
        inner = getattr(package, f"{word}Model")(config)
        model = Called(inner.get_submodule(part), call).eval()
        given = example if isinstance(example, tuple) else (example,)
        with torch.no_grad():
            model(*given)
            model = randomised(model)
            if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
                model.train()(*given)  # running statistics with which features differ at all
        return model.eval()

    x = example[0] if isinstance(example, tuple) else example
    size = "x".join(map(str, x.shape[2:] if x.ndim > 3 or x.shape[1] in (1, 8) else x.shape[1:]))
    return Case(name, f"transformers {package.__version__}", make, rep_in, None, example, size)


class Called(nn.Module):
    """A model called in one way."""

    def __init__(self, model: nn.Module, call: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.model, self.call = model, call
        self.head = nn.LazyLinear(10)

    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        """What the call gives."""
        return self.head(self.call(self.model, *args))
