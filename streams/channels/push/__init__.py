"""Push messages: FCM, APNs and Web Push, to each device that the person told of."""

from streams.channels.push.channel import PushChannel

__all__ = ["PushChannel"]
