"""The analysis of one study: from its plan to its report."""
