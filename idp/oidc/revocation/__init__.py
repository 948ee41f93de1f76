"""Ending tokens.

Spec: RFC 7009 2 (revocation request, response), OpenID Connect Core 16.18 (lifetimes).
Revoking any token of a family ends the family; a client's own token is put on a short list until it expires.
"""
