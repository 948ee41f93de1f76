"""Groups of people: what an app learns of them (the `groups` claim), and how strongly their members must sign in."""
