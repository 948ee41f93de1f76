"""Passkeys and security keys (WebAuthn L3): asked for, registered, used.

`ceremonies` are the challenges, `registration` and `assertion` the two ceremonies of the specification, `relying_party` is who we are to
an authenticator, `attestation` whose make is proved, `authenticators` what they are called, `signals` what password managers are told.
"""
