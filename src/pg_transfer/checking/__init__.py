"""What `pg_transfer.check` looks at: image files, lengths of texts, and labels drawn to be seen."""
