"""Results on disk, read into outcomes."""
