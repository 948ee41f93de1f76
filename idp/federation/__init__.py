"""Signing in through other OpenID providers: Google and any upstream with discovery; linking their accounts to people here.

Spec: OpenID Connect Core 3.1 (as relying party), 3.1.3.7 (ID token validation), 5.7 (identity is iss and sub); OpenID Connect Discovery 4;
RFC 7636 (PKCE); RFC 9207 2.4 (iss in the answer); RFC 9700 4.4 (mix-up); OpenID Connect RP-Initiated Logout 2 (towards the upstream).
"""
