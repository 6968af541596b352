"""The usual form of a record of each dialect, decoded at once into typed structs.

As with the canonical form, a strict reader takes what is exactly as it should be. Anything else (a number as
text, an empty id, a field it does not weigh) it leaves to the tolerant one by returning None. Where both read
a record they agree.
"""

from __future__ import annotations

from retarget.dialects.strict import braze, cloudevents, criteo, ga4, meta, segment, snowplow

__all__ = ["braze", "cloudevents", "criteo", "ga4", "meta", "segment", "snowplow"]
