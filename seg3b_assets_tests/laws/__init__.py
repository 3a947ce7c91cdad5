"""Tests of the laws: vectors, invariants, properties."""
