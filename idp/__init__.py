"""Kairos ID, an OpenID Connect identity provider."""
