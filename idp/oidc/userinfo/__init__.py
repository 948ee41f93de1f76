"""Userinfo.

Spec: OpenID Connect Core 5.3 (GET, POST with header, POST with body; JSON, signed, encrypted), RFC 6750 2.1, 2.2 and 3 (bearer use and challenges).
Not covered: a token in the query is refused (RFC 9700 4.3.2).
"""
