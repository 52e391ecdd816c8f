"""What Prometheus is told: requests of the portal, and what the database knows of everything."""
