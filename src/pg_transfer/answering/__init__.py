"""A model that is asked about images, and what it replies."""
