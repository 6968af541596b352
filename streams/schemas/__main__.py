"""`python -m streams.schemas`: write the schema files anew."""

from streams.schemas import write

write()
