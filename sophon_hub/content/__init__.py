"""Untrusted text in, safe HTML out."""
