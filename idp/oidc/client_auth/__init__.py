"""Who is the client that calls a back-channel endpoint?

Spec: RFC 6749 2.3 and 3.2.1, OpenID Connect Core 9 (all five methods), RFC 7523 2.2 and 3.
Not covered: mutual TLS (RFC 8705).
"""
