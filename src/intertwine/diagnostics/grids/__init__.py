"""Images under turns, flips and shifts, and the windows of layers that break them."""
