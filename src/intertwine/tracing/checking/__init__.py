"""The check of calls: which elements, which calls speak for others, with which weights, and how far apart is broken."""
