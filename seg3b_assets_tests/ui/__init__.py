"""Dagster's UI over this code location, as a person uses it: in a browser."""
