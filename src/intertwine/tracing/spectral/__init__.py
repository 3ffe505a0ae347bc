"""Weights that act on waves."""
