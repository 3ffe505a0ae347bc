"""``python -m benchmarks.optimizers``: what each optimiser does to equivariant weights, with and without the decay."""
