"""Inputs made to harm: planted and tried at every door, and mutated by the thousand."""
