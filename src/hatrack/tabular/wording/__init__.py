"""A score and its reasons in words: facts, a template that is always right, and a checker for texts that a model wrote."""
