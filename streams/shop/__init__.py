"""A simulated shop: a small catalogue, people with habits, and the touchpoints they leave behind.

For the demo, load tests and anyone without traffic of their own. The same seed gives the same stream, byte
for byte; nothing here does I/O or reads a clock. `docs/simulator.md` says where its figures come from.
"""

from streams.shop.catalogue import Product, Shop, open_shop
from streams.shop.disturbance import Arrival, Faults, disturb
from streams.shop.pace import Batch, paced
from streams.shop.traffic import simulate

__all__ = ["Arrival", "Batch", "Faults", "Product", "Shop", "disturb", "open_shop", "paced", "simulate"]
