"""Data of a user's own: found, recognised by looking, and made into examples.

Files, folders, data sets of the hub and tar shards are all read as rows of named columns
(`rows.py`); `columns.py` says which column is what.
"""
