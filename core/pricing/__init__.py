"""What a call cost, what it would have cost without caching, and the dated price rows behind both.

Loads with the standard library alone. The columnar path is `core.pricing.bulk`, imported by those who need it.
"""

from core.pricing.book import PriceBook, default_book, load_book
from core.pricing.cost import PricedCall, price_usage
from core.pricing.model import ModelRef, Unpriced

__all__ = ["ModelRef", "PriceBook", "PricedCall", "Unpriced", "default_book", "load_book", "price_usage"]
