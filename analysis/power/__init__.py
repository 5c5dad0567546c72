"""Power and sample size: what a study of a given size can find."""
