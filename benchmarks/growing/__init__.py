"""How cost grows: with the number of weights, with the number of layers."""
