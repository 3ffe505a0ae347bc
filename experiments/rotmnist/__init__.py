"""Turned handwritten digits."""
