"""How fast and how big: ``make bench``.

Every measured run is a process of its own in a fresh home, over worlds built beforehand and not counted.
"""
