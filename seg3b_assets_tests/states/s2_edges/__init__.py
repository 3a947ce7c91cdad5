"""Tests of S2."""
