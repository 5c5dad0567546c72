"""Results folder of a study: manifest, trial records, lock."""
