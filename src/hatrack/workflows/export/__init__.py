"""A version to files of other tools: written, opened there, compared, described."""
