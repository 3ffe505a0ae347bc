"""Which representation the hidden features of a trained network carry."""
