"""Tests of the states."""
