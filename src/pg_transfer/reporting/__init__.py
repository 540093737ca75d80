"""What a run leaves to look at: answers, pages, pictures, reports."""
