"""How a number is measured: machine, times, and when an estimate is good enough."""
