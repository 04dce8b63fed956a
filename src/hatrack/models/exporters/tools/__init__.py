"""Foreign tools, asked as their own users would ask them."""
