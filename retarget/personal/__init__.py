"""What makes a message this person's own: how they are greeted, who writes to them, where its link leads."""
