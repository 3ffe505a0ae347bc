"""The budget table: what the library costs, as ratios inside one run. ``python -m benchmarks``, or ``make bench``."""
