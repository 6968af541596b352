"""Words that most journeys have: the names of the rules that ship, of what they count, and how they send.

What is compressed with them can only be read with them: not a letter may change while anything is stored so.
"""

from __future__ import annotations

from typing import Final

import msgspec

_SELDOM: Final = """
abandoned_checkout back_in_stock brochure chat_follow_up low_stock price_drop refill search_abandonment
service_care social_thanks store_follow_up letter sms whatsapp chat service transactional checkout search
USD GBP EUR granted locale country zone
"""
_OFTEN: Final = """
loyalty carted stage-carted stage-viewed viewed loyal_customer price_hesitation wishlist_reminder
wishlist cart-left welcome looked-three-times repeated_view cart abandoned_cart purchase bought
purchase.product:order first_purchase XXX stage-bought review_request add add+purchase.category onsite
advice push choice_overload browse browse_abandonment email view.product view.category:product view
ad_stage marketing win_back external
"""
#: As they stand in MessagePack, each behind its length.
WORDS: Final = b"".join(map(msgspec.msgpack.encode, (*_SELDOM.split(), *_OFTEN.split())))
