"""Language models of transformers."""

from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.case import Case

SMALL = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
WIDE = {**SMALL, "intermediate_size": 64}
GROUPED = {**WIDE, "num_key_value_heads": 2}
EXPERTS = {**GROUPED, "num_experts_per_tok": 2}
GPT2 = {"vocab_size": 50, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 16}

# Chosen before it was known whether they work: one or two families for each kind of attention, feed-forward and state.
DECODERS: dict[str, dict[str, Any]] = {
    "GPT2": GPT2,
    "OpenAIGPT": GPT2,
    "GPTNeo": {**SMALL, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]},
    "GPTJ": {**GPT2, "rotary_dim": 4},
    "CodeGen": {**GPT2, "rotary_dim": 4},
    "GPTBigCode": {**GPT2, "multi_query": True},
    "GPTNeoX": {**WIDE, "rotary_pct": 0.25},
    "Bloom": {"vocab_size": 50, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    "Mpt": {"vocab_size": 50, "d_model": 32, "n_layers": 2, "n_heads": 4, "expansion_ratio": 2},
    "Falcon": {**SMALL, "multi_query": True, "parallel_attn": True, "alibi": True},
    "Falcon new decoder": {**SMALL, "new_decoder_architecture": True, "num_kv_heads": 2},
    "OPT": {**SMALL, "ffn_dim": 64, "word_embed_proj_dim": 32},
    "Llama": GROUPED,
    "Mistral": {**GROUPED, "sliding_window": 3},
    "Qwen2": GROUPED,
    "Qwen3": {**GROUPED, "head_dim": 8},
    "Gemma2": {**GROUPED, "head_dim": 8, "sliding_window": 3, "query_pre_attn_scalar": 8},
    "Gemma3Text": {**GROUPED, "head_dim": 8, "sliding_window": 3},
    "Phi": {**GROUPED, "partial_rotary_factor": 0.5},
    "Phi3": {**GROUPED, "pad_token_id": 0},
    "StableLm": GROUPED,
    "Cohere": GROUPED,
    "Persimmon": WIDE,
    "Glm4": {**GROUPED, "head_dim": 8, "pad_token_id": 0},
    "Olmo2": GROUPED,
    "Starcoder2": GROUPED,
    "GptOss": {**EXPERTS, "head_dim": 8, "num_local_experts": 4, "sliding_window": 3},
    "Mixtral": {**EXPERTS, "num_local_experts": 4},
    "Qwen2Moe": {
        **EXPERTS, "num_experts": 4, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16
    },
    "Olmoe": {**EXPERTS, "num_experts": 4},
    "GraniteMoe": {**EXPERTS, "num_local_experts": 4},
    "JetMoe": {**SMALL, "num_key_value_heads": 2, "kv_channels": 8, "intermediate_size": 64, "num_local_experts": 4,
               "num_experts_per_tok": 2},
    "Dbrx": {
        "vocab_size": 50, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 16,
        "attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 32, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "Llama4Text": {**EXPERTS, "head_dim": 8, "num_local_experts": 4, "intermediate_size_mlp": 64},
    "DeepseekV3": {
        **WIDE, "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "n_group": 2,
        "topk_group": 1, "first_k_dense_replace": 1, "q_lora_rank": 16, "kv_lora_rank": 8, "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 8, "v_head_dim": 8, "num_key_value_heads": 4,
    },
    "Mamba": {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "time_step_rank": 4},
    "Mamba2": {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "num_heads": 8,
               "head_dim": 8, "n_groups": 2, "chunk_size": 4},
    "Rwkv": {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32},
    "RecurrentGemma": {**GROUPED, "lru_width": 32, "attention_window_size": 4, "num_hidden_layers": 3},
    "XLNet": {"vocab_size": 50, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64},
}  # fmt: skip
ENCODERS: dict[str, dict[str, Any]] = {
    "Bert": WIDE,
    "Albert": {**WIDE, "embedding_size": 32},
    "DistilBert": {"vocab_size": 50, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
    "MPNet": WIDE,
    "Deberta": {**WIDE, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "max_position_embeddings": 16},
    "DebertaV2": {**WIDE, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "max_position_embeddings": 16,
                  "position_buckets": 4, "norm_rel_ebd": "layer_norm", "share_att_key": True},
    "ModernBert": {**WIDE, "pad_token_id": 0, "local_attention": 4},
    "FNet": {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64},
    "ConvBert": {**WIDE, "embedding_size": 32},
    "RoFormer": {**WIDE, "embedding_size": 32},
    "SqueezeBert": {**WIDE, "embedding_size": 32, "q_groups": 2, "k_groups": 2, "v_groups": 2,
                    "post_attention_groups": 1, "intermediate_groups": 2, "output_groups": 2},
}  # fmt: skip
SEQUENCES = {"vocab_size": 50, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
             "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
             "max_position_embeddings": 16}  # fmt: skip
T5 = {"vocab_size": 50, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
ENCODER_DECODERS: dict[str, dict[str, Any]] = {
    "T5": T5,
    "T5 gated": {**T5, "feed_forward_proj": "gated-gelu"},
    "UMT5": T5,
    "Bart": SEQUENCES,
    "Marian": {**SEQUENCES, "pad_token_id": 0, "decoder_start_token_id": 1},
    "Pegasus": SEQUENCES,
}


def cases() -> list[Case]:
    """Language models on embedded tokens, under a change of sign of half the features."""
    import transformers

    rep = 16 * iw.Cyclic(2).regular()
    tokens, others = (torch.randn(2, n, 32, generator=torch.Generator().manual_seed(n)) for n in (6, 5))
    single = {**DECODERS, **ENCODERS}
    found = [_case(transformers, name, options, rep, rep, tokens) for name, options in single.items()]
    pair = (rep, rep)
    found += [
        _case(transformers, name, options, pair, rep, (tokens, others)) for name, options in ENCODER_DECODERS.items()
    ]
    return found


def _case(package: Any, name: str, options: dict[str, Any], rep_in: Any, rep_out: Any, example: Any) -> Case:
    def make() -> nn.Module:
        torch.manual_seed(0)
        config = getattr(package, f"{name.split(maxsplit=1)[0]}Config")(**options)
        return Embedded(package.AutoModel.from_config(config))

    return Case(name, f"transformers {package.__version__}", make, rep_in, rep_out, example, "6 tokens")


class Embedded(nn.Module):
    """A language model that takes embedded tokens and gives its last hidden states."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        config: Any = model.config
        config.use_cache = False

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        """Features (batch, tokens, width) to features."""
        more = {"decoder_inputs_embeds": others[0]} if others else {}
        hidden: torch.Tensor = self.model(inputs_embeds=x, **more)[0]
        return hidden
