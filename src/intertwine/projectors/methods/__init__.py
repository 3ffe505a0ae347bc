"""Ways to compute the projection of one block of a weight, one a file."""
