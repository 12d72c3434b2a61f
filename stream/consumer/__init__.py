"""The worker as a member of its consumer group: assignment, intake of posts, offsets and commits.

Only `faust_app` and `offsets` use private parts of Faust and aiokafka.
"""
