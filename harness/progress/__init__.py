"""Progress of a run: displays, the heartbeat file, and the tracker that feeds them."""
