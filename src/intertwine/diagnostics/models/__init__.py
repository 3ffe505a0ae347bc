"""Looking into a model while it runs: its layers, calls, values and modes."""
