"""The answer: pages of docs/ that are written from the runs under results/reference."""
