"""Projections of weights that act on Fourier modes and on spherical harmonics."""
