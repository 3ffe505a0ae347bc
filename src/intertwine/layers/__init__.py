"""What a layer type means: the types of its parameters, what it does to a grid and to channels of a known type."""
