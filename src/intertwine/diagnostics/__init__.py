"""Measurements and reports: how far a function is from equivariant, and which weights are why."""

from intertwine.diagnostics.between_layers import LayerVerdict
from intertwine.diagnostics.data_symmetry import DataSymmetry, ElementTest, data_symmetry
from intertwine.diagnostics.environment import environment
from intertwine.diagnostics.equivariance_error import equivariance_error
from intertwine.diagnostics.first_breaker import Breaker, first_breaker
from intertwine.diagnostics.geometry import Geometry, LayerGeometry, geometry
from intertwine.diagnostics.html import Bar, PictureSection, Section, TableSection, TextSection, render_html
from intertwine.diagnostics.kernel_plots import plot_chain, plot_kernel
from intertwine.diagnostics.measured_error import EquivarianceError
from intertwine.diagnostics.on_grid import GridAction, on_grid
from intertwine.diagnostics.parameter_report import PairShare, ParameterReport
from intertwine.diagnostics.plots import plot_report
from intertwine.diagnostics.report import Report, report
from intertwine.diagnostics.unanalysed import Unanalysed

__all__ = [
    "Bar",
    "Breaker",
    "DataSymmetry",
    "ElementTest",
    "EquivarianceError",
    "Geometry",
    "GridAction",
    "LayerGeometry",
    "LayerVerdict",
    "PairShare",
    "ParameterReport",
    "PictureSection",
    "Report",
    "Section",
    "TableSection",
    "TextSection",
    "Unanalysed",
    "data_symmetry",
    "environment",
    "equivariance_error",
    "first_breaker",
    "geometry",
    "on_grid",
    "plot_chain",
    "plot_kernel",
    "plot_report",
    "render_html",
    "report",
]
