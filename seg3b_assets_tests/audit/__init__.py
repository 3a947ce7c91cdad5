"""Tests of the audit: faults planted in a published coarse run, and the parts that need no run."""
