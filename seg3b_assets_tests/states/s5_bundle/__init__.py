"""Tests of S5."""
