"""A person's own pages: who they are, how they sign in, which apps have access."""
