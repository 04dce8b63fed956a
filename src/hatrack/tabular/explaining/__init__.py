"""Why a model says what it says: per row, over all rows, and what would change a decision."""
