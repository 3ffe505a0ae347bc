"""Projections along positions: translations, and groups that move the positions of a grid."""
