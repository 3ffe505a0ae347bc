"""Layers of e2cnn, which three tasks build networks of."""
