"""Page docs/answer.md: whether the gaps of two published reports are real."""
