"""The token endpoint: one pipeline, one file per grant, one mint.

Spec: RFC 6749 3.2, 4.1.3, 4.4, 5, 6; OpenID Connect Core 3.1.3, 12; RFC 9700 4.14 (refresh rotation); RFC 8707 2.2;
RFC 8693 2 (an ID token of another provider for tokens of ours).
Not covered: extension grants (device, CIBA, other token exchanges).
"""
