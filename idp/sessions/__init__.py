"""The browser session of the provider: sid, auth_time, amr, acr."""
