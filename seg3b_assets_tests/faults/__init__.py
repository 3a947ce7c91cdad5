"""The fault library: every way we know to falsify a published run, each with the check that must find it.

``fault`` says what a fault is, ``specimen`` holds the run they are planted in, ``edited_tree`` and ``forgery``
the two ways to plant one: changing bytes of a finished tree, and making a state itself lie. ``catalogue``
lists them all; ``python -m seg3b_assets_tests.faults`` tries every one and prints what was caught.
"""
