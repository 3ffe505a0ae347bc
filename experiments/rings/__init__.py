"""Points on wavy rings: the paper's toy task."""
