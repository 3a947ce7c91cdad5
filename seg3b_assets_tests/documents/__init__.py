"""The documents, run as written."""
