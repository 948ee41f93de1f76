"""What clients know of a browser session: who took part in it, and `session_state`.

Spec: OpenID Connect Session Management 1.0 2, 3, 4.2; Back-Channel Logout 1.0 2.1 and Front-Channel Logout 1.0 3 (sid).
"""
