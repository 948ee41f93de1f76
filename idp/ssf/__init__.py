"""Shared Signals: tells other services what happened to accounts, sessions and credentials, as security event tokens.

OpenID Shared Signals Framework 1.0 (transmitter), CAEP 1.0, RISC 1.0, RFC 8417 (SET), RFC 8935 (push), RFC 8936 (poll).
"""
