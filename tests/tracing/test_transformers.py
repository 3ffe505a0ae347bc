"""Unmodified models of transformers and peft, where they are installed: types and ranks of one weight each, by hand."""

import importlib.util

import pytest

import intertwine as iw

transformers = pytest.importorskip("transformers")
if importlib.util.find_spec("torchvision") is not None:  # whose operators may be built for another torch
    from benchmarks.models.__main__ import operators_of_torchvision

    operators_of_torchvision()

from benchmarks.models.sources import of_transformers, of_transformers_signals  # noqa: E402

FEATURES = "16xregular"
# A weight, its axes, and its rank: entries over the order of the group where that moves all of them.
EXPECTED = {
    "GPT2": ("model.h.0.attn.c_attn.weight", (FEATURES, "48xregular"), 32 * 96 // 2),
    "Bloom": ("model.h.1.self_attention.query_key_value.weight", ("48xregular", FEATURES), 96 * 32 // 2),
    "Falcon new decoder": ("model.h.0.self_attention.query_key_value.weight", None, 64 * 32 // 2),
    "CodeGen": ("model.h.0.attn.qkv_proj.weight", None, 96 * 32 // 2),
    "Llama": ("model.layers.0.mlp.gate_proj.weight", ("32xregular", FEATURES), 64 * 32 // 2),
    "Mixtral": ("model.layers.0.mlp.experts.gate_up_proj", None, 4 * 2 * 64 * 32 // 2),
    "Llama4Text": ("model.layers.0.feed_forward.experts.gate_up_proj", None, 4 * 32 * 128 // 2),
    "GptOss": ("model.layers.1.mlp.experts.gate_up_proj", None, 4 * 32 * 128 // 2),
    "DeepseekV3": ("model.layers.0.self_attn.kv_b_proj.weight", ("32xregular", "4xregular"), 64 * 8 // 2),
    "Mamba": ("model.layers.0.mixer.in_proj.weight", ("64xregular", FEATURES), 128 * 32 // 2),
    "T5": ("model.decoder.block.0.layer.1.EncDecAttention.k.weight", (FEATURES, FEATURES), 32 * 32 // 2),
    "Bart": ("model.encoder.layers.0.fc1.weight", ("32xregular", FEATURES), 64 * 32 // 2),
}
SIGNALS = {
    "Swin": ("model.encoder.layers.0.downsample.reduction.weight", None, 64 * 128 // 8),
    "Beit": (
        "model.layers.0.relative_position_bias.relative_position_bias_table",
        ("grid[7x7] + 3x0+", "4x0+"),
        (10 + 3) * 4,
    ),
    "ViT": ("model.embeddings.position_embeddings", ("0+ + grid[4x4]", "8xregular"), 17 * 64 // 8),
    "Perceiver": ("model.encoder.cross_attention.attention.self.query.weight", None, 32 * 32 // 2),
    "DecisionTransformer": ("model.embed_state.weight", (FEATURES, None), 32 * 11 // 2),
}
LANGUAGE = {case.name: case for case in of_transformers.cases()}
OTHERS = {case.name: case for case in of_transformers_signals.cases()}


def checked(case, name, axes, rank):
    model = case.make().eval()
    binding = iw.bind(model, rep_in=case.rep_in, rep_out=case.rep_out, example=case.example)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    P = binding[name].projector
    assert P.rank == rank
    if axes is not None:
        assert all(said is None or said == str(rep) for said, rep in zip(axes, P.axes, strict=True)), P.axes
    binding.project_()
    found = iw.equivariance_error(model, case.rep_in, case.rep_out, case.example, num_samples=4, group=binding.group)
    assert float(found) < 1e-5


@pytest.mark.parametrize("name", EXPECTED)
def test_language_models(name):
    checked(LANGUAGE[name], *EXPECTED[name])


@pytest.mark.parametrize("name", SIGNALS)
def test_images_series_and_control(name):
    checked(OTHERS[name], *SIGNALS[name])


@pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")
def test_adapters():
    pytest.importorskip("peft")
    from benchmarks.models.sources import of_peft

    cases = {case.name: case for case in of_peft.cases()}
    layer = "model.encoder.layer.0.attention.self.query"
    checked(cases["Lora on BERT"], f"{layer}.lora_A.default.weight", ("4xregular", FEATURES), 8 * 32 // 2)
    checked(cases["Lora with DoRA on BERT"], f"{layer}.lora_B.default.weight", (None, "4xregular"), 32 * 8 // 2)
    checked(cases["Lora on ViT"], "model.layers.0.attention.q_proj.lora_A.default.weight", ("regular", "8xregular"), 64)
