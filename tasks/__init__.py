"""The benchmarks: one file each, plain Python, no torch."""
