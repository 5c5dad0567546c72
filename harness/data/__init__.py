"""A study's data: read, divided into splits, tokenised."""
