"""Tensors that a module computes of several parameters: how, of which, and how a value gets back into them."""
