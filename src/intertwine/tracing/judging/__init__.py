"""The check of one run: its calls repeated on moved arguments, with equivariant weights, those that are alike once."""
