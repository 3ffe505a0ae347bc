"""Heads of attention, each in a basis of its own: which may turn, and what they carry."""
