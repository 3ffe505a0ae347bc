"""How irreps are found, named and written as matrices."""
