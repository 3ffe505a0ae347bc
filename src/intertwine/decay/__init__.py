"""What an optimiser's step does to the non-equivariant part."""

from intertwine.decay.equivariance_decay import EquivarianceDecay

__all__ = ["EquivarianceDecay"]
