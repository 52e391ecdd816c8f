"""What a person can do: one function an action, one file a noun.

Every function takes the session of a writing transaction and the actor first, asks `policy`,
changes rows, writes one audit event and enqueues what the Hub has to do. It does no network
I/O and knows nothing of HTTP.
"""
