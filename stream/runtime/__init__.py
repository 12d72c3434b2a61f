"""Parts that any long-running process needs: retries, locks, background tasks, the watchdog, logging.

Does not know about posts.
"""
