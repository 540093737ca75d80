"""Captions cut into tokens as the official caption evaluation does, without Java."""
