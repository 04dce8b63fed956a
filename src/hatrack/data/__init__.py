"""From files to checked, split and hashed examples."""
