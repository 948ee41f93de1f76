"""The authorization endpoint: request, person, answer.

Spec: OpenID Connect Core 3.1.2 (authentication request to response), RFC 6749 4.1.1 to 4.1.2.1, RFC 9207 2 (iss),
OAuth 2.0 Form Post Response Mode 2, OAuth 2.0 Multiple Response Type Encoding Practices 2.1, RFC 8252 8.6 (native apps and consent).
Not covered: response types with tokens in the front channel.
"""
