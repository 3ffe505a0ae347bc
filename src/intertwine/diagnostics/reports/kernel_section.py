"""Kernels beside their equivariant parts and residuals, as a section of a page."""

from collections.abc import Sequence

from intertwine.diagnostics.pictures.kernel_parts import KernelParts
from intertwine.diagnostics.reports.sections import GallerySection, Picture


def kernel_section(kernels: Sequence[KernelParts]) -> GallerySection:
    """Kernels beside their equivariant parts and residuals."""
    rows = []
    for kernel in kernels:
        names = ("W", "P(W), equivariant", "W − P(W), the rest")
        pictures = [
            Picture(
                png,
                f"{name} of {kernel.name}: {share:.1%} of its square norm, {kernel.rows} by {kernel.columns}",
                f"{name}: {share:.1%}",
            )
            for png, name, share in zip(kernel.pictures(), names, kernel.shares, strict=True)
        ]
        where = f", {kernel.slices}" if kernel.slices else ""
        rows.append((f"{kernel.name}: {kernel.rows} by {kernel.columns}{where}", pictures))
    note = (
        "Rows are output channels, columns input channels, in one colour scale (red above zero, blue below). Shares "
        "are of the square norm of the channels that are shown."
    )
    return GallerySection("Kernels", rows, (note,))
