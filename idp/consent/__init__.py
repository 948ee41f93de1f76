"""The consent screen and what people have agreed to."""
