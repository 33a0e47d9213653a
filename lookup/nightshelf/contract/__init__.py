"""The lookup contract, version 1: every key, its type, the value it holds and its time to live.

Any language can read Nightshelf with plain GETs. `<ns>` is the namespace (a tenant, a scene, a
surface), `<gen>` a positive integer that only grows. Every id is UTF-8 in which all characters but
RFC 3986's unreserved ones are percent-encoded, so no id can collide with another key.

======================================== ====== ======================================= ===========
key                                      type   value                                   TTL
======================================== ====== ======================================= ===========
``shelf:{<ns>}:current``                 string manifest of the live generation (JSON)  none
``shelf:{<ns>}:generations``             hash   generation -> manifest, with its state  none
``shelf:{<ns>}:fence``                   hash   limits on flips: see below              none
``shelf:{<ns>}:blocked``                 set    items blocked on every path             none
``shelf:{<ns>}:unavailable``             set    items out of stock since the night      none
``shelf:{<ns>}:refresh-queue``           zset   users whose list is to be recomputed    2 x base
``shelf:{<ns>}:refreshed:<gen>``         hash   counts of the refresh and of erasures   2 x base
``shelf:{<ns>}:events``                  stream tracked events; ``user_id`` is raw      trimmed
``shelf:{<ns>}:watch``                   string figures of the watch's last pass (JSON) none
``shelf:{<ns>}:incidents``               hash   incident's id -> incident (JSON)        none
``shelf:{<ns>}:audit``                   stream changes by people                       trimmed
``shelf:{<ns>}:invalidate``              pubsub data that readers must drop             -
``shelf:<ns>:<gen>:list:<model>:{<id>}`` string the user's list                         base ± 10 %
``shelf:<ns>:<gen>:popular:<segment>``   string fallback list                           2 x base
``shelf:<ns>:<gen>:similar:<id>``        string items similar to this one               base ± 10 %
``shelf:<ns>:<gen>:user:{<id>}``         string the user's feature row (JSON)           base ± 10 %
``shelf:<ns>:<gen>:item:<id>``           string the item's feature row (JSON)           base ± 10 %
``shelf:<ns>:masked:{<id>}``             zset   items the user acted on, by time        2 x base
``shelf:<ns>:recent:{<id>}``             zset   the user's recent events, by time       an hour
``shelf:<ns>:recent-item:<id>``          hash   counts of the item's recent events      hours
``shelf:<ns>:row-update:{<id>}``         string the user's feature row since the night  an hour
``shelf:<ns>:item-update:<id>``          string the item's feature row since the night  hours
``shelf:<ns>:refreshing:{<id>}``         string the refresh that writes this user       a minute
======================================== ====== ======================================= ===========

Braces are part of the key: they are the hash tag that decides a key's slot in a Redis Cluster. The
namespace's own keys share one slot, all keys of a user share another, and keys of items and
segments spread over all nodes. No id can hold a brace. A script touches keys of one tag only.

The fence holds ``allotted`` and ``flipped`` (the highest generation numbers reserved, and made live
by a publisher), ``pinned`` (the generation held live; absent where none is) and ``moved_at`` (Unix
seconds by the server's clock when readers last changed generation).

A segment is ``all``, ``trending``, ``new``, ``category:<category>`` or ``segment:<user segment>``;
the part after the colon is encoded like an id.

**A list** is compact JSON (docs/decisions/0005-payload.md)::

    {"items":["B2","A7"],"scores":[0.91,0.4],"reasons":[["because","C9"],["taste"]],"why":[0,1]}

``why[i]`` is the position in ``reasons`` of the reason for ``items[i]``. A reason is a code and its
argument: ``["because", item]`` (the item of the user's own history that weighs most),
``["again"]`` (it is that item itself), ``["taste"]`` (no single item does),
``["discover", category]`` (a category of the user's taste, an item that few are shown),
``["popular", segment]`` (a popular list's; in a user's own list ``["popular", "all"]``: recent
popularity with everyone weighs most), ``["trending"]``, ``["new"]``, ``["similar", item]``. Scores
compare within a list only; under ``popular`` they are points of recent events (1: an event of
weight 1 today), a user segment's shrunk to those of all users.

**To read**: GET ``current`` and SMEMBERS ``blocked`` and ``unavailable`` (keep them for a second),
take ``generation`` and ``default_model`` from the first, GET the list and ZRANGE ``masked:{<id>}``
0 -1; if there is no list, GET ``user:{<id>}`` for the user's ``favorite_categories`` and
``segment``, then the popular lists of those categories (taking from each in turn), of that segment
and of ``all``. An experiment may give the user another model (below). Leave out blocked,
unavailable and masked items on every path, and replace a reason that names a blocked item by
``taste``; lists are longer than pages so that their tails fill.

**The refresh** recomputes, in the served generation, the lists of users who acted since the night;
a manifest's ``digest`` and ``counts`` are of the keys that the night wrote. A user's row as of the
refresh is ``row-update:{<id>}``, an item's ``item-update:<id>``: read them with ``user:{<id>}`` and
``item:<id>`` and prefer them while they live (an item's by its counters and ``as_of``: the rest may
have been revised since). A user unknown to the night gets a ``user:{<id>}`` as well.
``refreshed:<gen>`` holds ``added`` (keys of the generation beyond those that the night wrote),
``forgotten`` (its keys that were erased with their users) and ``swept`` (the ``moved_at`` for which
all users who had acted since the night were put into ``refresh-queue``).

One refresh writes one user at a time: it sets ``refreshing:{<id>}`` to a token of its own, makes
sure that ``current`` and ``moved_at`` are those it read and that the user is in ``refresh-queue``,
and writes the list only while the token stands. An erasure takes the user out of the queue and
deletes ``refreshing:{<id>}`` before it looks for keys, so an erased user gets no list; of two
refreshes the later one's token stands. Users leave the queue after their lists were written and if
the pointer has not moved. Keys written into a generation that is no longer served are never read
and expire.

All times that a publisher or an operator writes are by Redis's own clock.

**Recent events** stand beside the rows, and a reader adds them by the manifest's ``counting``
(docs/decisions/0027-recent-events.md; without ``counting`` nothing is added). Types in ``idle``
never count, and of entries with one ``event_id`` only the first does.

- A user's row holds all events up to its own ``last_seen``. An entry of ``recent:{<id>}``, scored
  with its time in Unix seconds, is compact JSON: ``["<event_id>","<event_type>","<item>"]``, and
  the value as a fourth where there is one. Each entry after ``last_seen`` adds 1 to ``events``,
  moves ``last_seen`` (``first_seen`` and ``created_at`` where they are null), adds 1 to
  ``total_purchases`` for a type in ``purchases`` (absent: ``purchase``), its value to the mean
  ``avg_rating`` of ``num_ratings`` for a type in ``ratings``, and puts its item first in
  ``recent_views`` for a type in ``views`` (``n_recent`` items stay, none twice). A user without a
  row begins at 0 and empty lists.
- An item's row holds all events before its ``as_of``, which only ``item-update:<id>`` has, else to
  the manifest's. A field of ``recent-item:<id>`` is ``<quarter>:<event_type>`` (number of events)
  with ``:n`` (of those with a value) or ``:sum`` (of their values, in millionths) after it; the
  quarter is Unix time in whole quarters of an hour, the type is encoded like an id. Quarters that
  begin then or later count: each event adds its weight to ``popularity_score`` (below 0 where
  negative weights are more), halved for every ``half_life_days`` of whole UTC days since, as the
  row's own score is since then; values of types in ``ratings`` go into ``avg_rating`` and
  ``num_ratings``.

**A manifest's** ``choice`` says which blend of models the lists are of. No reader needs it to serve
lists, and manifests without it are read as before. It holds ``weights`` (``als``, ``graph``,
``popular``), ``by_history`` (other weights in that order, by the number of different items in a
user's history: ``1``, ``2``, ``3-5``, ``6-10``, ``11+``), ``half_lives_days`` (``learning``,
``profile``, ``popular``) and ``held`` (true: as the settings have it).

**The watch** copies its last pass into ``watch`` and its incidents into ``incidents`` (those that
are open and the last 200 that ended), for people: no reader of lists needs them
(`nightshelf.contract.incident`).

**The audit** has an entry for each change that a person made in the console or by the command
line, with the fields ``at`` (ISO 8601, UTC), ``who`` (the name of a key of the service, or a
machine's login), ``action``, ``what`` (a generation or an item) and ``outcome``; the latest 10,000
or so stay.

**To track**: an entry of ``events`` has the fields ``event_id`` (equal when an event is sent
twice), ``user_id``, ``event_type``, ``ts`` (ISO 8601, UTC) and, where they apply, ``item_id``,
``value`` (of a purchase its revenue), ``generation``, ``model``, ``experiment``, ``variant``,
``phase``, ``position`` (from 1) and ``latency_ms`` (of an ``impression``: how long the page waited
for the list). The manifest's
``counting`` gives the effect of each type (docs/decisions/0035-event-types.md):

- A type in ``seen`` adds the item to ``masked:{<id>}`` with its time in Unix seconds (the latest
  `MAX_MASKED` stay).
- It, and other types with a weight or in ``ratings`` or ``purchases``, but those in ``views``, add
  the raw user id to ``refresh-queue`` likewise, and publish ``user:<id>`` on ``invalidate``, as
  does a type in ``idle`` without an item.
- A type that stands nowhere in ``counting`` is recorded, and adds to ``refresh-queue`` alone.
- A conversion is of the first type in ``purchases`` (``purchase`` where there is none).
- To be in the rows at once, an event with an item adds its entry to ``recent:{<id>}`` (ZADD NX; the
  latest `MAX_RECENT` stay; the TTL counts from the last) and to the counts of ``recent-item:<id>``
  (HINCRBY; the TTL counts from the first, EXPIRE NX), which are taken back where ZADD finds the
  entry there already.

Other messages on ``invalidate``: ``row:<id>`` (only the user's row has changed), ``item:<id>`` (its
row has), ``masks`` (``blocked`` or ``unavailable`` has), ``forget:<id>`` (drop all of that user).

**A canary** is another generation for a share of the users. Where ``current`` holds ``canary``
(``generation``, ``share`` in percent, ``default_model``), a user is in it if the first four bytes
of SHA-256 over ``<canary's generation>:<user id>`` (UTF-8, not encoded), as a big-endian number,
times 100, are below ``share`` times 2^32 (`nightshelf.contract.assignment.in_canary`); such a
user's keys are those of that generation.

**Experiments** serve users different models (docs/decisions/0047-assignment.md). ``experiments`` in
``current`` is a list of ``id``, ``phase`` (from 1), ``traffic``, ``variants`` (``name``, ``model``,
``buckets``; the first is the control), ``start``, ``end`` (ISO 8601, UTC; empty: without a limit)
and ``status``. ``traffic`` and ``buckets`` are ranges ``[first, end)`` of buckets 0 to 9,999. A
user's bucket under a salt is the first four bytes of SHA-256 over ``<salt>:<user id>`` (UTF-8, not
encoded), as a big-endian number, times 10,000, over 2^32, rounded down: 7,600 for ``u1`` under
``exp-1`` (`nightshelf.contract.assignment.bucket`).

- An experiment runs while its ``status`` is ``running``, from ``start`` on and before ``end``.
- A user is in the first one that runs and whose ``traffic`` has the bucket under ``<id>:traffic``;
  a user in none gets the list of ``default_model``.
- The variant is the first whose ``buckets`` have the bucket under ``<id>:variant``, else the
  control.
- The list is that of the variant's ``model``; where that has none for the user, that of
  ``default_model``, and so on as without an experiment.
- An ``impression`` of the list names ``experiment``, ``variant`` and ``phase`` whichever list was
  served, and in ``model`` the one that was; of a variant that a tester chose it names none of them.

The experiments are the namespace's: they stay in ``current`` when that moves to a generation that
was live before, and a canary's users are assigned by them too. A new night brings its own, in which
an experiment that was stopped in ``current`` stays stopped throughout its phase.
"""
