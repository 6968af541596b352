from streams.shop import open_shop


def test_the_shop_has_200_products_in_12_categories() -> None:
    """The demo's shop is small, and no two of its products look the same."""
    shop = open_shop()
    assert len(shop.products) == 200
    assert len(shop.categories) == 12
    assert len({product.name for product in shop.products}) == 200
    assert len({product.url for product in shop.products}) == 200


def test_prices_and_stock_make_sense() -> None:
    """Everything costs something, something costs enough for a brochure, and all is in stock at first."""
    shop = open_shop()
    assert min(product.price for product in shop.products) > 0
    assert any(product.price >= 500 for product in shop.products)
    assert all(product.stock > 3 for product in shop.products)


def test_the_same_seed_gives_the_same_shop() -> None:
    """A shop is its seed."""
    assert open_shop(3) == open_shop(3)
    assert open_shop(3) != open_shop(4)


def test_the_largest_shop_has_no_twins() -> None:
    """Up to 1,440 products, for load tests, every name occurs once."""
    assert len({product.name for product in open_shop(products=1440).products}) == 1440
