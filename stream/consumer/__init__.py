"""The worker as a member of its consumer group: assignment, intake of posts, offsets and commits.

All that touches the private parts of Faust and aiokafka is in `faust_app` and `offsets`.
"""
