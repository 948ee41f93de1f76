"""Logging: structured JSON lines in production, readable lines in development."""
