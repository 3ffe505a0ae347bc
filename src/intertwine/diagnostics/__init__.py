"""Measurements and reports: how far a function is from equivariant, and which weights are why."""

from intertwine.diagnostics.data.data_symmetry import data_symmetry
from intertwine.diagnostics.data.found_symmetry import DataSymmetry, ElementTest
from intertwine.diagnostics.equivariance.equivariance_error import equivariance_error
from intertwine.diagnostics.equivariance.first_breaker import Breaker, first_breaker
from intertwine.diagnostics.equivariance.measured_error import EquivarianceError
from intertwine.diagnostics.equivariance.model_check import ModelCheck, check
from intertwine.diagnostics.fitting.fit_representation import fit_representation
from intertwine.diagnostics.fitting.fitted_representation import FittedRepresentation, FittedUnknown, FittedWeight
from intertwine.diagnostics.grids.geometry import Geometry, LayerGeometry, geometry
from intertwine.diagnostics.grids.on_grid import GridAction, on_grid
from intertwine.diagnostics.reports.between_layers import LayerVerdict
from intertwine.diagnostics.reports.environment import environment
from intertwine.diagnostics.reports.html import render_html
from intertwine.diagnostics.reports.kernel_plots import plot_chain, plot_kernel
from intertwine.diagnostics.reports.measure_report import report
from intertwine.diagnostics.reports.parameter_report import PairShare, ParameterReport
from intertwine.diagnostics.reports.plots import plot_report
from intertwine.diagnostics.reports.report import Report
from intertwine.diagnostics.reports.sections import Bar, PictureSection, Section, TableSection, TextSection
from intertwine.diagnostics.reports.unanalysed import Unanalysed

__all__ = [
    "Bar",
    "Breaker",
    "DataSymmetry",
    "ElementTest",
    "EquivarianceError",
    "FittedRepresentation",
    "FittedUnknown",
    "FittedWeight",
    "Geometry",
    "GridAction",
    "LayerGeometry",
    "LayerVerdict",
    "ModelCheck",
    "PairShare",
    "ParameterReport",
    "PictureSection",
    "Report",
    "Section",
    "TableSection",
    "TextSection",
    "Unanalysed",
    "check",
    "data_symmetry",
    "environment",
    "equivariance_error",
    "first_breaker",
    "fit_representation",
    "geometry",
    "on_grid",
    "plot_chain",
    "plot_kernel",
    "plot_report",
    "render_html",
    "report",
]
