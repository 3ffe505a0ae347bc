"""Intertwine: measure, penalise and project away the non-equivariant part of a PyTorch model, exactly, at its weights.

``import intertwine as iw``: groups make representations, ``iw.projector(rep_in, rep_out)`` splits a weight into its
equivariant part and the rest, ``iw.bind`` does so for a whole model.
"""

from importlib.metadata import PackageNotFoundError, version

from intertwine import errors, layers, nn, testing
from intertwine.binding import Binding, Typed, bind, effective_weights, penalty, start_adapters_
from intertwine.certificates import Certificate, certificate
from intertwine.decay import EquivarianceDecay, Target
from intertwine.diagnostics import (
    Breaker,
    DataSymmetry,
    EquivarianceError,
    FittedRepresentation,
    Geometry,
    GridAction,
    ModelCheck,
    Report,
    check,
    data_symmetry,
    equivariance_error,
    first_breaker,
    fit_representation,
    geometry,
    on_grid,
    report,
)
from intertwine.diagnostics.chains import chain_split, subgroup_chain
from intertwine.diagnostics.splits import residual_by_irreps
from intertwine.errors import DecayWarning, IdentityActionWarning, IntertwineError, RankZeroWarning
from intertwine.groups import (
    SO,
    Cyclic,
    Dihedral,
    DirectProduct,
    FiniteGroup,
    Group,
    Icosahedral,
    MatrixGroup,
    Mirror,
    O,
    Octahedral,
    Symmetric,
    Tetrahedral,
    Trivial,
)
from intertwine.groups.adapters import conventions
from intertwine.groups.adapters.notation import as_representation
from intertwine.layers import LayerRule, layer_rule
from intertwine.projectors import Projector, projector
from intertwine.projectors.diagonal import diagonal_projector
from intertwine.projectors.kernels.steerable import Rings
from intertwine.projectors.positions.positions import position_projector
from intertwine.projectors.positions.relaxed import relaxed_projector
from intertwine.projectors.positions.translation import torus, translation_projector
from intertwine.projectors.spectral.spectral import spectral_projector
from intertwine.projectors.spectral.spherical import spherical_projector
from intertwine.representations import Field, Representation, Segment
from intertwine.representations.decomposition import Decomposition, decompose
from intertwine.split import SplitAdamW, SplitOptimizer

try:
    __version__ = version("intertwine")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = [
    "SO",
    "Binding",
    "Breaker",
    "Certificate",
    "Cyclic",
    "DataSymmetry",
    "DecayWarning",
    "Decomposition",
    "Dihedral",
    "DirectProduct",
    "EquivarianceDecay",
    "EquivarianceError",
    "Field",
    "FiniteGroup",
    "FittedRepresentation",
    "Geometry",
    "GridAction",
    "Group",
    "Icosahedral",
    "IdentityActionWarning",
    "IntertwineError",
    "LayerRule",
    "MatrixGroup",
    "Mirror",
    "ModelCheck",
    "O",
    "Octahedral",
    "Projector",
    "RankZeroWarning",
    "Report",
    "Representation",
    "Rings",
    "Segment",
    "SplitAdamW",
    "SplitOptimizer",
    "Symmetric",
    "Target",
    "Tetrahedral",
    "Trivial",
    "Typed",
    "as_representation",
    "bind",
    "certificate",
    "chain_split",
    "check",
    "conventions",
    "data_symmetry",
    "decompose",
    "diagonal_projector",
    "effective_weights",
    "equivariance_error",
    "errors",
    "first_breaker",
    "fit_representation",
    "geometry",
    "layer_rule",
    "layers",
    "nn",
    "on_grid",
    "penalty",
    "position_projector",
    "projector",
    "relaxed_projector",
    "report",
    "residual_by_irreps",
    "spectral_projector",
    "spherical_projector",
    "start_adapters_",
    "subgroup_chain",
    "testing",
    "torus",
    "translation_projector",
]
