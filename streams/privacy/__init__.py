"""What is stored of a person: told, taken away, and looked for once more."""
