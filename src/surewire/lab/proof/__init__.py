"""Checks over any run, and the search for runs that fail them: random cases and exhaustive small ones."""
