"""What makes the answers: the embedded engine, or another one behind the same Protocol."""
