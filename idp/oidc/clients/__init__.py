"""Registered clients: their policy, their cache, their registration rules.

Spec: RFC 7591 2 (client metadata), OpenID Connect Dynamic Client Registration 1.0 2, RFC 8252 7.3 and 8.4 (native apps),
RFC 9700 2.1 (redirect URIs), RFC 6749 2.3.1 (client secrets).
Not covered: the registration endpoint itself (RFC 7591 3, RFC 7592).
"""
