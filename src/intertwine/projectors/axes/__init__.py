"""Which axes of a weight carry which representation, and how they are brought side by side."""
