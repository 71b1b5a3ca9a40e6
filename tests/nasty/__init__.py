"""Whatever a sender can get wrong, over real HTTP, in between good messages."""
