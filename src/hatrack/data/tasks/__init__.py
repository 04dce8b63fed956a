"""From documents to training rows: one file for each kind of task, and what they share."""
