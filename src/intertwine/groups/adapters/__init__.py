"""Groups and representations of other packages, one foreign convention a file."""
