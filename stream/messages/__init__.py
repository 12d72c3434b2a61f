"""The records on our topics, typed, and the schemas made from them. Sends nothing."""
