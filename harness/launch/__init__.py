"""Starting several workers of one study, on this machine or through a scheduler."""
