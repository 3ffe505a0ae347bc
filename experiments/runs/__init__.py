"""Grids of runs: cached, resumable, recorded."""
