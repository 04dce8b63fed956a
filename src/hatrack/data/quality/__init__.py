"""What is wrong with the data, and what to do: one module for each question, one report for all answers."""
