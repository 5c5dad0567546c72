"""The study file, and the trials that it asks for."""
