"""The event names of Segment's e-commerce, e-mail, mobile and chat vocabularies, and our types for them."""

from __future__ import annotations

from typing import Final

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "view": ("Product Viewed", "Product Clicked"),
    "list_view": ("Product List Viewed", "Product List Filtered"),
    "search": ("Products Searched",),
    "promo": ("Promotion Viewed", "Promotion Clicked"),
    "add": ("Product Added", "Wishlist Product Added to Cart"),
    "remove": ("Product Removed",),
    "cart_view": ("Cart Viewed",),
    "wishlist": ("Product Added to Wishlist",),
    "wishlist_remove": ("Product Removed from Wishlist",),
    "checkout": (
        "Checkout Started", "Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered",
    ),
    "purchase": ("Order Completed", "Order Updated"),
    "refund": ("Order Refunded",),
    "cancel": ("Order Cancelled",),
    "coupon": ("Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed"),
    "share": ("Product Shared", "Cart Shared"),
    "review": ("Product Reviewed",),
    "email_delivered": ("Email Delivered",),
    "email_open": ("Email Opened",),
    "email_click": ("Email Link Clicked",),
    "email_bounce": ("Email Bounced",),
    "email_spam": ("Email Marked as Spam",),
    "unsubscribe": ("Unsubscribed",),
    "push_received": ("Push Notification Received",),
    "push_open": ("Push Notification Tapped",),
    "push_bounce": ("Push Notification Bounced",),
    "ad_click": ("Deep Link Opened", "Deep Link Clicked", "Install Attributed"),
    "chat": (
        "Live Chat Conversation Started", "Live Chat Conversation Ended", "Live Chat Message Sent",
        "Live Chat Message Received",
    ),
    "app_open": ("Application Opened",),
    "session": ("Application Backgrounded",),
}  # fmt: skip

_TYPE_OF: Final = {name.casefold(): kind for kind, names in _NAMES.items() for name in names}

# The one that the consent manager sends; it is a consent only when it names a category we know.
CONSENT_EVENT: Final = "segment consent preference updated"


def type_of(event: str) -> str:
    """Our type for an event name, whatever its case; `custom` for a name that is in no vocabulary."""
    return _TYPE_OF.get(event.strip().casefold(), "custom")
