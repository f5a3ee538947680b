"""``yichu up``: the embedded system as a family of processes that live and stop together."""
