"""Makes the Hub equal to what the portal says, and tells the portal what the Hub does.

`runner` takes jobs, `groups` and `labs` do them, `reconcile` repairs what drifted. Everything
can be done twice and be interrupted anywhere.
"""
