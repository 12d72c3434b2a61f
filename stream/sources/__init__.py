"""Where posts come from: files and pipes of JSON lines, sent to the posts topic."""
