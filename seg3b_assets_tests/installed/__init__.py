"""The product installed from its wheel, away from any checkout."""
