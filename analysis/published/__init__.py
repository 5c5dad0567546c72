"""Published figures and their audit."""
