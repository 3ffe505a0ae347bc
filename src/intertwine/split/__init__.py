"""Optimisers that give the equivariant part of each weight and the rest moments of their own."""

from intertwine.split.split_adamw import SplitAdamW
from intertwine.split.split_optimizer import SplitOptimizer

__all__ = ["SplitAdamW", "SplitOptimizer"]
