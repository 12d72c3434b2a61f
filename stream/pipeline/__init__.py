"""One post from admission to delivery: admit, download, prepare, tag, publish, count.

It uses partitions, but neither Faust nor the committer.
"""
