"""Where vectors lie."""
