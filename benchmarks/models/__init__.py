"""Unmodified models of other packages, typed from one run each: what is typed, what breaks, how long it takes."""
