"""Random small networks into which one call is planted that breaks the symmetry, and what the check says of them."""
