"""What an adapter is trained for."""
