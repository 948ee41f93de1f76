"""The authorization request: parsed once into a frozen value, checked by one table that every door shares.

Spec: RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1 and 5.5, RFC 7636 4.3, RFC 8707 2, Initiating User Registration 1.0 (prompt=create),
OAuth 2.0 Multiple Response Type Encoding Practices 2.1 and OAuth 2.0 Form Post Response Mode (response_mode).
OpenID Connect Core 6 and RFC 9101 (request objects).
Not covered: pushed requests (RFC 9126), encrypted request objects.
"""
