"""SQL and sessions. Reads that the edges use take the actor and apply its visibility."""
