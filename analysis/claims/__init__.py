"""Published numbers, held against what a study measures."""
