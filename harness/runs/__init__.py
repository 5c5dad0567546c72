"""Running a study, and planning it."""
