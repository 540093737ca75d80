"""This process: what it prints, how it is stopped, which of several it is, what it hides."""
