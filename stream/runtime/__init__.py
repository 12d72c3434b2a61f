"""What any long-running process needs: retries, locks, background tasks, the watchdog, logging. Knows no post."""
