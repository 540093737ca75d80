"""Models in the files of others, compared with what was written."""
