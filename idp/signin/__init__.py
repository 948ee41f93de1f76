"""The steps a person sees to sign in, sign up and recover."""
