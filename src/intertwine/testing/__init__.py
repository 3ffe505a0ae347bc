"""Assertions for users' tests: is this function equivariant, is this a group, a representation, a projector?

They raise ``AssertionError`` with the worst element, the size of the error and the tolerance, and log the measured
error under ``intertwine.testing`` even where they pass, so that slow drifts can be seen.
"""

from intertwine.diagnostics.equivariance.equivariance_assertion import assert_equivariant
from intertwine.testing.groups import assert_group
from intertwine.testing.projectors import assert_projector
from intertwine.testing.representations import assert_representation

__all__ = ["assert_equivariant", "assert_group", "assert_projector", "assert_representation"]
