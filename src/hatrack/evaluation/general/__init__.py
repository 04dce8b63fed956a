"""General ability: what a model could do before it was adapted, and should still be able to do."""
