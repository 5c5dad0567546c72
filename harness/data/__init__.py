"""Data of a study: read, divided into splits, tokenised."""
