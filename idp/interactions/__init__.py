"""The paused request: what a person must still do before an app gets its answer."""
