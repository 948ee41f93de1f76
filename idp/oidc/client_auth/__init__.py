"""Who is the client that calls a back-channel endpoint?

Spec: RFC 6749 2.3 and 3.2.1, OpenID Connect Core 9 (client_secret_basic, client_secret_post, none).
Not covered: client_secret_jwt, private_key_jwt (RFC 7523), mutual TLS (RFC 8705).
"""
