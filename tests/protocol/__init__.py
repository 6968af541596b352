"""Claim, commit and checkpoint under a scheduler of faults, one external operation at a time.

Real are the lane's runner with all it is made of, the store down to its links (what a command says, which
node is asked, what an error means), and the bytes and the arbiter of the journal. Modelled, and held against
real ones by the same calls in tests/contracts (test_stores, test_modelled_cluster, _logs and _group), are

- the nodes of a store's cluster: `cluster` tells where a lane lies, `commands` what a command does there. A
  lane that moves has all its keys at the other node already (ASK), or only its sequence (TRY_AGAIN); as long
  as none has moved, nothing is different;
- Kafka with its transactions (`broker`), and the two logs above it, step by step as the real ones (`logs`).
  The end of a transaction writes its markers at once; it may be late itself (DELAY_2, DELAY_9, DELAY_ALL);
- the group (`group`), and what workers do when they hear of it (`membership`): whoever is paused for longer
  than a session is out of it, wakes as a zombie, hears of it, and comes again (PAUSE); who joins or leaves
  makes others let go of the lane (JOIN, LEAVE), and asks again when the group's coordinator moves meanwhile,
  as the next one knows the last whole generation only (GROUP_MOVES). Where no worker hears anything, the lane
  just has another owner (SWITCH, AWAY, ECHO, TAKEOVER);
- the coordinator of transactions (`coordinator`): it moves, falls after it has put a request down, or is away
  (COORDINATOR_MOVES, _FALLS, _AWAY). Clients ask again where it is, but for the end of a transaction, as the
  real producer does; so a lane sees that it takes longer, or an outcome that is unknown;
- retention (`retention`): the brokers drop what the store does not need any more, an input that nobody has
  read, or the whole journal (DROP_DONE, DROP_UNREAD, DROP_JOURNAL). A lane refuses exactly when something
  that it needs is gone, and has sent nothing else until then; a newer image of it is then brought back;
- the time (`passing`): it goes on by operations and by waiting, for sessions and moves. Where the wall
  clock moves idle lanes, the input comes with it, bit by bit (`day`): a lane is idle in the middle of it,
  behind when it was held up, and now and then finds nothing although there is some.

A world has one lane, or two that take turns (`abreast`): one broker, in which an open transaction of
either holds up what both write to; one store, which loses or brings back both; workers that are killed with
both lanes. What is told of a person crosses between them on the internal topic, and so does what came under
a wrong key. The judge demands that everybody's history is what it is without faults, each event in it once.

Not here: copies of lanes (tests/streams/test_returning.py), and what lanes share of a ceiling: each has its
portions as if it were alone. Each lane has its own group, of which it is the only partition.
"""
