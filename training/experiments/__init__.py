"""The papers' tables and our own: what is run, how it is collected, and the results page."""
