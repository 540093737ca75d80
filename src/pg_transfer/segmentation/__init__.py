"""Masks as sixteen `<seg>` tokens, and back."""
