"""Two systems on the same rows as one page for a browser: what differs, filtered and looked at row by row."""
