"""Who may see (`visibility`), who may do (`permissions`), who asks (`actor`).

Nothing here opens a session: predicates are SQL expressions, decisions are pure functions.
"""
