"""Adapters of peft on networks of transformers."""

import functools
from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.case import Case, randomised
from benchmarks.models.sources.of_transformers import WIDE, Embedded
from benchmarks.models.sources.of_transformers_signals import PATCHES, Called, pooled

TARGETS = ["query", "value"]
ADAPTERS: dict[str, dict[str, Any]] = {
    "Lora": {"r": 8},
    "Lora with rslora": {"r": 8, "use_rslora": True},
    "Lora with DoRA": {"r": 8, "use_dora": True},
    "IA3": {"feedforward_modules": []},
    "LoHa": {"r": 8},
    "LoKr": {"r": 8},
    "OFT": {"oft_block_size": 8, "r": 0},
    "BOFT": {"boft_block_size": 4},
}


def cases() -> list[Case]:
    """Adapters of queries and values: of BERT under C2, of a vision transformer under D4."""
    import peft
    import transformers

    version = f"peft {peft.__version__}"
    rep, images = 16 * iw.Cyclic(2).regular(), iw.on_grid(3 * iw.Dihedral(4).trivial())
    tokens, x = (torch.randn(*s, generator=torch.Generator().manual_seed(0)) for s in ((2, 6, 32), (2, 3, 32, 32)))

    def adapted(inner: nn.Module, name: str, targets: list[str]) -> nn.Module:
        config = getattr(peft, f"{name.split(maxsplit=1)[0]}Config")(target_modules=targets, **ADAPTERS[name])
        peft.get_peft_model(inner, config)  # type: ignore[arg-type]
        return inner

    def bert(name: str) -> nn.Module:
        torch.manual_seed(0)
        model = transformers.BertModel(transformers.BertConfig(**WIDE))
        return randomised(Embedded(adapted(model, name, TARGETS)).eval())

    def vit(name: str) -> nn.Module:
        torch.manual_seed(0)
        model = transformers.ViTModel(transformers.ViTConfig(**PATCHES))
        inner = adapted(model, name, ["q_proj", "v_proj"])
        called = Called(inner, lambda model, x: pooled(model(pixel_values=x))).eval()
        with torch.no_grad():
            called(x)
        return randomised(called)

    found = []
    for name in ADAPTERS:
        found.append(Case(f"{name} on BERT", version, functools.partial(bert, name), rep, rep, tokens, "6 tokens"))
        found.append(Case(f"{name} on ViT", version, functools.partial(vit, name), images, None, x, "32 px"))
    return found
