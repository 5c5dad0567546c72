"""One recipe, many seeds: an A/A study, in which whatever a test claims is false; writes docs/one-recipe.md."""
