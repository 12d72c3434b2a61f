"""One post from admission to delivery: admit, download, prepare, tag, publish, count.

Knows partitions, but neither Faust nor who commits.
"""
