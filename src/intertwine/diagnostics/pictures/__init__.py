"""Small pictures for pages, drawn by hand: errors over a group as SVG, kernels as PNG."""
