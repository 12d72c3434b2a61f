"""Where posts come from: the protocol of a source, files and pipes as one, and sending to the posts topic."""
