"""What this provider offers, as precomputed documents.

Spec: OpenID Connect Discovery 1.0 3 and 4, RFC 8414 2 and 3, RFC 9207 3 (iss parameter support).
"""
