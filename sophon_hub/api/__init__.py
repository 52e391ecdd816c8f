"""The REST API, version 1: JSON handlers, one file a noun. The contract is the OpenAPI document."""
