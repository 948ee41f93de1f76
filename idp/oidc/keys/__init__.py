"""Signing keys: the ring of this process, rotation, the published key set.

Spec: OpenID Connect Core 10.1.1 (rotation), RFC 7517 5 (JWK Set), RFC 7638 (kid).
A key is published before it signs and stays published until nothing that it signed is alive.
"""
