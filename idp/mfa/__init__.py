"""Second factors: authenticator apps and recovery codes; enrolled, checked, named and removed.

django-otp gives the device base class, the row lock around one check and the arithmetic of RFC 6238; the tables are ours, so that
secrets are sealed and the waits end (docs/decisions/0006-second-factors.md). How they join the sign-in: `stage`. What they are worth to
an app: `idp.sessions.assurance`.
"""
