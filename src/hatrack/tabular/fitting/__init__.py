"""How a table model comes to be: columns guessed, leaks suspected, settings tried, fitted, calibrated. No server needs this."""
