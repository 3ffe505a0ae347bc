"""Penalty and decay at every k-th step: what that costs in accuracy."""
