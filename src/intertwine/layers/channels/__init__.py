"""Channels as fields: runs of them, pairs of them, vectors shared by several, and what keeps their types."""
