"""The records on our topics, typed, the schemas made from them, and the language of a post. Sends nothing."""
