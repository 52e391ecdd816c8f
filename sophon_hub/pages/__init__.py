"""Every page people see: HTML forms in, Jinja templates out, over the same actions as the API."""
