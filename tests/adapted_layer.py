"""A linear layer with a LoRA adapter as peft makes it, for environments without peft: the same names, no dependency."""

import torch
from torch import nn

ADAPTER = "default"


class AdaptedLinear(nn.Module):
    """``W x + b + s B A x``; merged or switched off, the base alone."""

    def __init__(self, base: nn.Linear, rank: int, scaling: float = 2.0) -> None:
        super().__init__()
        self.base_layer = base.requires_grad_(False)
        kind = {"bias": False, "dtype": base.weight.dtype}
        self.lora_A = nn.ModuleDict({ADAPTER: nn.Linear(base.in_features, rank, **kind)})
        self.lora_B = nn.ModuleDict({ADAPTER: nn.Linear(rank, base.out_features, **kind)})
        self.scaling = {ADAPTER: scaling}
        self.merged_adapters: list[str] = []
        self.disable_adapters = False
        self.active_adapters = [ADAPTER]
        self.reset_lora_parameters(ADAPTER, True)

    @property
    def merged(self) -> bool:
        return bool(self.merged_adapters)

    def get_base_layer(self) -> nn.Module:
        return self.base_layer

    def reset_lora_parameters(self, name: str, init_lora_weights: bool) -> None:
        assert init_lora_weights is True
        nn.init.kaiming_uniform_(self.lora_A[name].weight, a=5**0.5)
        nn.init.zeros_(self.lora_B[name].weight)

    def merge(self) -> None:
        change = self.scaling[ADAPTER] * self.lora_B[ADAPTER].weight @ self.lora_A[ADAPTER].weight
        self.base_layer.weight.data += change
        self.merged_adapters.append(ADAPTER)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.base_layer(x)
        if self.merged or self.disable_adapters:
            return found
        return found + self.scaling[ADAPTER] * self.lora_B[ADAPTER](self.lora_A[ADAPTER](x))
