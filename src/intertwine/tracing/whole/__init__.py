"""Modules and functions that a run calls as a whole: what they take and give is known, not what happens inside."""
