"""``sophon-hub doctor``: whether everything that a hub needs is there, and what to do if not.

It changes nothing, and can be asked beside a hub that runs and before one is started.
"""
