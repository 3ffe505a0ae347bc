"""Simulated metal artefacts on CT slices."""
