"""Which services a token is for.

Spec: RFC 8707 2 (requests), 2.2 (narrowing at the token endpoint), RFC 9068 3 (aud).
"""
