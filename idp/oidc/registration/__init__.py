"""Dynamic client registration and its management.

Spec: RFC 7591 2, 3 (registration, errors, software statements), RFC 7592 2 (read, replace, delete),
OpenID Connect Dynamic Client Registration 1.0 2, 3, 4, 5 (sector_identifier_uri).
Off unless IDP_REGISTRATION says `token` (initial access tokens) or `open`.
"""
