"""The journeys that commands start: they put the rooms in a row."""
