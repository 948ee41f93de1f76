"""The staff console: what operators look at and change in a browser; everything it changes goes through the floors below."""
