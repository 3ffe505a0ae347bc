"""Other libraries' projectors on the same weights, where they are installed. None is ever required."""
