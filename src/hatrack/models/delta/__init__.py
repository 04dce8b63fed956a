"""A fully tuned model as its difference to the base."""
