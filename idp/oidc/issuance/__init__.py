"""From what was granted to what is sent: one value in, one mint out.

Spec: RFC 9068 (JWT access tokens), OpenID Connect Core 2 and 3.1.3.6 (ID token, at_hash), RFC 6749 5.1, RFC 8707 3 (audience).
Access and ID tokens are signed and never stored. Private claim `fid`: the family that a revocation ends.
"""
