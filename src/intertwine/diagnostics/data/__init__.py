"""Whether data have a symmetry, by two-sample tests."""
