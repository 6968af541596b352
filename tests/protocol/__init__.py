"""Claim, commit and checkpoint of one lane under a scheduler of faults, one external operation at a time.

What stands for what, where a fault has another name outside:

- a change of the group is a change of the owner (SWITCH, AWAY, ECHO, TAKEOVER): a lane learns nothing else;
- MOVED, ASK and TRYAGAIN of a cluster are a request that is lost (LOSE_REQUEST): `streams.stores.routes`
  follows them once, and then tells the lane that the outcome is unknown. Real clusters are in
  tests/contracts/test_redis_cluster.py and in the chaos kind `slot_migration`;
- NOSCRIPT never comes to the lane: the script is sent again below it (tests/contracts/test_redis_store.py).

The models of store, broker and logs are held against real ones by the same calls, drawn by chance, in
tests/contracts/test_stores.py and test_modelled_logs.py.
"""
