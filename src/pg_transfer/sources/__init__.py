"""Models with their tokenizers, from any place that has weights."""
