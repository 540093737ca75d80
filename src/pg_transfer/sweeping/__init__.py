"""Sweeps: many runs with different settings, one process each, and what came of them."""
