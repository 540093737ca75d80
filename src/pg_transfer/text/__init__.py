"""Words to token ids and back, how they lie in the model's window, and `<loc>`/`<seg>` tokens."""
