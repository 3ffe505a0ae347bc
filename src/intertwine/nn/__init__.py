"""The few layers that users need beside torch's own: equivariant nonlinearities, normalisation, invariant read-out."""

from intertwine.nn.field_norm import FieldNorm
from intertwine.nn.gate import Gate
from intertwine.nn.invariant_readout import InvariantReadout
from intertwine.nn.norm_activation import NormActivation
from intertwine.nn.pointwise_activation import PointwiseActivation

__all__ = ["FieldNorm", "Gate", "InvariantReadout", "NormActivation", "PointwiseActivation"]
