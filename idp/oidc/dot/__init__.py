"""The engine: everything that touches django-oauth-toolkit and oauthlib, by subclass and settings slot only.

Spec: none of its own; it carries requests between Django and the rooms that decide (docs/decisions).
The engine's token tables stay empty: codes and families are ours, access and ID tokens are never stored.
"""
