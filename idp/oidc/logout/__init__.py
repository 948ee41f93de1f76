"""Signing out at an app's request.

Spec: OpenID Connect RP-Initiated Logout 1.0 2 (request by GET and POST), 3 (redirection), 4 (validation), 6 (implementation).
OpenID Connect Front-Channel Logout 1.0, Back-Channel Logout 1.0, Session Management 1.0.
"""
