"""Measurements: ``make bench`` runs them all, ``python -m tests.bench NAME ...`` some of them.

They tell how long things take on this machine at this moment; they fail when something does not
work, never because it is slow.
"""
