"""Sources: predictions that others made, read into runs. What is in a file says how it is read."""
