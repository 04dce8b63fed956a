"""Where base models come from."""
