"""Tests of the store: publishing, digests, crashes, damaged and unwritable homes."""
