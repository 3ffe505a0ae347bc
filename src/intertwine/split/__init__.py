"""Optimisers that give the equivariant part of each weight and the rest moments of their own."""

from intertwine.split.split_adamw import SplitAdamW

__all__ = ["SplitAdamW"]
