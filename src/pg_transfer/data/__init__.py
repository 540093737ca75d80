"""Files as published: found, read and checked, their splits, their images."""
