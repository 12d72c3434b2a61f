"""Topics as commands and workers use them: creating, reading, sending, publishing, lag, dead letters."""
