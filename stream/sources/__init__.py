"""Where posts come from: what a source is, files and pipes of JSON lines as one, and sending to the posts topic."""
