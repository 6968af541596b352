"""Rules: what an author writes, checked and typed; `parse` reads them, `model` is the result."""
