"""For the operator: health, doctor, the embedded process, development set-up."""
