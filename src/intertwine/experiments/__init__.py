"""Experiments with records: one task a file, and what every experiment needs (grid, record, summaries, figures)."""
