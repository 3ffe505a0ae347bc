"""Handwritten digits with a dial for symmetry breaking."""
