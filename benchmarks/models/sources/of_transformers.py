"""Language models of transformers."""

from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.case import Case


def cases() -> list[Case]:
    """Language models on embedded tokens, under a change of sign of half the features."""
    import transformers

    rep = 16 * iw.Cyclic(2).regular()
    small = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    configs = {
        "BERT": transformers.BertConfig(**small, intermediate_size=64),
        "GPT2": transformers.GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4, n_positions=16),
        "Llama": transformers.LlamaConfig(**small, num_key_value_heads=2, intermediate_size=64),
        "Mistral": transformers.MistralConfig(**small, num_key_value_heads=2, intermediate_size=64),
        "Qwen2": transformers.Qwen2Config(**small, num_key_value_heads=2, intermediate_size=64),
        "GPT-NeoX": transformers.GPTNeoXConfig(**small, intermediate_size=64),
        "OPT": transformers.OPTConfig(
            vocab_size=50,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            ffn_dim=64,
            word_embed_proj_dim=32,
        ),
    }
    example = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    return [
        Case(
            name,
            f"transformers {transformers.__version__}",
            lambda config=config: Embedded(transformers.AutoModel.from_config(config)),  # type: ignore[misc]
            rep,
            rep,
            example,
            "5 tokens",
        )
        for name, config in configs.items()
    ]


class Embedded(nn.Module):
    """A language model that takes embedded tokens and gives its last hidden states."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        config: Any = model.config
        config.use_cache = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (batch, tokens, width) to features."""
        hidden: torch.Tensor = self.model(inputs_embeds=x)[0]
        return hidden
