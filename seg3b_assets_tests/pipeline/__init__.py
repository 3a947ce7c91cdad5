"""Tests of a seed run over a toy segment: reuse, heads, records, plans, crashes."""
