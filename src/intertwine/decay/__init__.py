"""What an optimiser's step does to the non-equivariant part."""

from intertwine.decay.equivariance_decay import EquivarianceDecay
from intertwine.decay.residual_target import Target

__all__ = ["EquivarianceDecay", "Target"]
