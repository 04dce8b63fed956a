"""Ways of solving a task, one file for each idea."""
