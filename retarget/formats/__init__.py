"""A message in each provider's form, as the provider documents it: values in, values out.

Whoever cannot be served raises Unsendable with one reason; nothing else is ever raised.
"""
