"""The deployment: its files, and its processes run by hand."""
