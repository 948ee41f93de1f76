"""Delivers outbox rows: claims, retries, receivers."""
